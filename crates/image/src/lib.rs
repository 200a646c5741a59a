//! Images of 8-bit samples: decoding with limits, orientation, resizing, encoding
