//! Clusters of rows, and fewer dimensions for them.
