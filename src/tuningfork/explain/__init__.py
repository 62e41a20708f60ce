"""What a model looks at: Grad-CAM, occlusion, and the feature maps of its encoder."""

from tuningfork.explain.features import FeatureMap, feature_maps
from tuningfork.explain.gradcam import gradcam
from tuningfork.explain.occlusion import occlusion
from tuningfork.explain.run import explain

__all__ = ["FeatureMap", "explain", "feature_maps", "gradcam", "occlusion"]
