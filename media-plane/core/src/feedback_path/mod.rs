//! RTCP, both ways: what clients report and ask for, what they are told and sent again, and what a
//! receiver's link takes. The mechanisms are `feedback`'s; here they meet the tables.

pub(crate) mod key_frames;
pub(crate) mod resend;
pub(crate) mod report;
pub(crate) mod address_proof_requests;
pub(crate) mod receive;
pub(crate) mod wanted_layers;
pub(crate) mod notify;
pub(crate) mod traffic;
pub(crate) mod paced;
pub(crate) mod probing;
pub(crate) mod allocation;
