//! Images on disk as samples: folders, manifests, IDX files, splits, and the cache of decoded pixels
