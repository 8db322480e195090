//! What must hold of cutting.
