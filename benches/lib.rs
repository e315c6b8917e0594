//! Is it still fast? Criterion benches (`benches/`) and the load comparison with peers (`load/`); see `README.md`.
//! This library is empty: the package exists for its benches and examples.
