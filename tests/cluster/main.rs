//! A whole cluster from outside: a real etcd, several replicas and nodes. One behaviour, one file.

mod calls;
mod people;
mod speech;

mod one_room_spans_replicas_and_rooms_span_nodes;
mod of_fifty_who_race_for_the_last_seat_one_gets_it;
mod rooms_of_a_killed_node_speak_again_elsewhere;
mod a_node_that_slept_too_long_lets_go_of_its_rooms;
mod calls_go_on_while_etcd_is_down;
mod a_drained_node_gets_no_new_rooms;
mod both_transports_pass_haproxy;
mod a_killed_replica_takes_no_call_with_it;
mod a_rolling_restart_of_replicas_loses_no_call;
mod pro_ends_on_time_with_every_replica_dead;
mod a_record_written_at_one_replica_reaches_calls_at_another;
mod of_twenty_who_race_for_the_last_video_slot_one_gets_it;
