//! Augmentations of one image, each a file, and the pipeline that draws them
