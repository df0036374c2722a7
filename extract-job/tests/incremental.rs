//! Being written.
//! Nothing yet.
