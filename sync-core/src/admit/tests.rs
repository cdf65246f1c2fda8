//! The rules of a command's life, each as a test: what admission decides, and what the fold then makes of it.

mod authority;
mod effect;
mod flags;
mod lanes;
mod limits;
mod machines;
mod month;
mod policy;
mod scene;
mod sight;
mod withheld;
