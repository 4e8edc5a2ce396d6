//! One program for all of these: each of its own would be linked on its own, which takes longer than running it.

mod a_control_plane_without_a_certificate_is_refused;
mod a_room_lives_from_its_first_join_to_its_last_leave;
mod a_scrape_counts_what_the_workers_did;
mod a_session_obeys_the_stream_that_has_it;
mod a_terminated_node_ends_its_streams_and_itself;
mod a_worker_that_dies_takes_only_its_rooms;
mod a_wrong_setting_is_told_with_its_key_and_what_is_allowed;
mod an_ice_check_is_answered_amid_garbage;
mod support;
mod two_streams_in_one_room_hear_one_order;
