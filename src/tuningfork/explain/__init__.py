"""What a model looks at: Grad-CAM, occlusion, and the feature maps of its encoder."""

from tuningfork.explain.features import FeatureMap, feature_maps
from tuningfork.explain.figures import Explanation
from tuningfork.explain.galaxy import explain_pixels
from tuningfork.explain.grad_cam import gradcam
from tuningfork.explain.occluding import occlusion
from tuningfork.explain.run import explain_images

__all__ = ["Explanation", "FeatureMap", "explain_images", "explain_pixels", "feature_maps", "gradcam", "occlusion"]
