//! The whole: the three programs, as processes, against the stand-ins of `sandbox`. Only tests live here,
//! in a package of their own, so that no program needs DuckDB to be tested.
