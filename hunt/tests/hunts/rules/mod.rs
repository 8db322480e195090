//! Rules: what is raised, and that it is raised once, whatever happens meanwhile.

mod crashes;
mod follow;
mod scene;
mod shipped;
mod sinks;
mod windows;
