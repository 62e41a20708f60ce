from tuningfork.images.geometry import Geometry
