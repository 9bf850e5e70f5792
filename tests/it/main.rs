//! The integration tests, in one executable. `layers` fails if a file beside this one is not listed here.

mod layers;
