//! One program for all of these: each of its own would be linked on its own, which takes longer than running it.

mod a_receiver_with_ccfb_gets_it_in_place_of_transport_cc;
mod arbitrary_rtp_parameters_keep_the_rules;
mod malformed_rtp_parameters_are_refused;
mod ortc_agrees_with_the_reference_vectors;
mod the_largest_rtp_capabilities_are_narrowed_to_what_the_router_offers;
