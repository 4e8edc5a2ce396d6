//! One program for all of these: each of its own would be linked on its own, which takes longer than running it.

mod a_broken_frame_is_refused_without_a_panic;
mod every_message_survives_the_wire;
mod samples;
