//! Members of channels by lines of JSON: a request is what a member is told and when, in milliseconds of a clock of the
//! caller's; the answer is what it says, and when it wants to be told the time (README.md).

use crate::agent::{Agent, Incoming, Kind, Listed, Millis, NewEpoch, Outcome, Output};
use crate::library::Own;
use crate::primitives::Failure;
use crate::profile::Profile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;

#[derive(Deserialize)]
struct Request {
    /// What the caller calls it; one process has many, of any channels.
    member: String,
    now: Millis,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum What {
    /// The member comes into the channel: its first request, and that of each new stay. `generation`: of the last answer
    /// in the stay before.
    Enter {
        /// None: it is called by its session.
        session_id: Option<String>,
        channel_id: String,
        user_id: String,
        people: Vec<Listed>,
        #[serde(default)]
        generation: u32,
        /// As the answer to `profile` has it; none: one that nobody has seen.
        profile: Option<String>,
    },
    /// Everybody else who is there.
    People { people: Vec<Listed> },
    /// A message as the server passes it on.
    Message { session_id: String, kind: Kind, epoch: u64, data: String },
    /// What became of a message that was sent.
    Sent { id: u64, outcome: Outcome },
    /// Frames of a session cannot be opened.
    Missing { session_id: String },
    /// It is the time that was asked for.
    Tick,
    /// Everything of the member is forgotten.
    Leave,
}

/// Answers each line of the input, of which `first` was read.
pub(crate) fn serve(
    first: String,
    lines: impl Iterator<Item = std::io::Result<String>>,
) -> Result<(), Failure> {
    let mut members = HashMap::new();
    let mut out = std::io::stdout().lock();
    for line in std::iter::once(Ok(first)).chain(lines) {
        let answer =
            answer(&mut members, &line?).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(members: &mut HashMap<String, Agent>, line: &str) -> Result<Value, Failure> {
    let request: Value = serde_json::from_str(line)?;
    // Of no member.
    if request["do"] == "profile" {
        let profile = Profile::generate()?;
        let public = STANDARD.encode(profile.public.as_bytes());
        return Ok(json!({ "profile": STANDARD.encode(profile.bytes()), "publicKey": public }));
    }
    let Request { member, now, what } = Request::deserialize(request)?;
    if let What::Enter { session_id, channel_id, user_id, people, generation, profile } = what {
        let session_id = session_id.unwrap_or_else(|| member.clone());
        let own = Own { channel_id, session_id, user_id };
        let profile = match profile {
            Some(profile) => Profile::read(&STANDARD.decode(profile)?)?,
            None => Profile::generate()?,
        };
        let mut agent = Agent::enter(own, profile, people, now, generation)?;
        let said = agent.tick(now)?;
        let answer = told(&agent, said);
        members.insert(member, agent);
        return Ok(answer);
    }
    if matches!(what, What::Leave) {
        members.remove(&member);
        return Ok(json!({ "outputs": [], "wakeAt": null }));
    }
    let agent = members.get_mut(&member).ok_or("a member that has not entered")?;
    let said = match what {
        What::People { people } => agent.people(people, now),
        What::Message { session_id, kind, epoch, data } => {
            let data = STANDARD.decode(data)?;
            agent.message(Incoming { session_id, kind, epoch, data }, now)
        }
        What::Sent { id, outcome } => agent.sent(id, outcome, now),
        What::Missing { session_id } => agent.missing(&session_id, now),
        What::Tick | What::Enter { .. } | What::Leave => agent.tick(now),
    }?;
    Ok(told(agent, said))
}

fn told(agent: &Agent, said: Vec<Output>) -> Value {
    let outputs: Vec<Value> = said.into_iter().map(json_of).collect();
    json!({ "outputs": outputs, "wakeAt": agent.wake_at(), "generation": agent.generation() })
}

fn json_of(output: Output) -> Value {
    match output {
        Output::Send { id, kind, epoch, to, data } => {
            let data = STANDARD.encode(data);
            json!({ "type": "send", "id": id, "kind": kind, "epoch": epoch, "to": to, "data": data })
        }
        Output::Epoch(NewEpoch { number, secret, members, removal, own, held }) => json!({
            "type": "epoch",
            "number": number,
            "secret": STANDARD.encode(secret),
            "members": members,
            "removal": removal,
            "own": own,
            "held": held,
        }),
        Output::Left => json!({ "type": "left" }),
        Output::Named { session_id, fault } => {
            json!({ "type": "named", "sessionId": session_id, "fault": fault })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(members: &mut HashMap<String, Agent>, request: &Value) -> Result<Value, Failure> {
        answer(members, &request.to_string())
    }

    #[test]
    fn who_is_alone_founds_a_group_and_who_comes_joins_it_by_lines_of_json() -> Result<(), Failure> {
        let mut members = HashMap::new();
        let enter = |member: &str, people: Value, now: u32| {
            json!({
                "do": "enter", "member": member, "channelId": "club", "userId": format!("user of {member}"),
                "people": people, "now": now,
            })
        };
        let first = ask(&mut members, &enter("s1", json!([]), 5))?;
        let [founded] = &first["outputs"].as_array().unwrap()[..] else { panic!("{first}") };
        assert_eq!((&founded["type"], &founded["members"]), (&json!("epoch"), &json!(["s1"])));
        assert_eq!((&first["wakeAt"], &first["generation"]), (&Value::Null, &json!(1)));

        let here = |member: &str| json!([{ "sessionId": member, "userId": format!("user of {member}") }]);
        ask(&mut members, &enter("s2", here("s1"), 10))?;
        let told = json!({ "do": "people", "member": "s1", "people": here("s2"), "now": 10 });
        let told = ask(&mut members, &told)?;
        let [info] = &told["outputs"].as_array().unwrap()[..] else { panic!("{told}") };
        assert_eq!((&info["kind"], &info["to"]), (&json!("groupInfo"), &json!("s2")));
        let message = json!({
            "do": "message", "member": "s2", "sessionId": "s1", "kind": info["kind"], "epoch": info["epoch"],
            "data": info["data"], "now": 12,
        });
        let joins = ask(&mut members, &message)?;
        let commit = &joins["outputs"][0];
        assert_eq!((&commit["kind"], &commit["epoch"]), (&json!("commit"), &json!(0)));
        let sent = json!({ "do": "sent", "member": "s2", "id": commit["id"], "outcome": "taken", "now": 14 });
        let of_second = ask(&mut members, &sent)?["outputs"][0].clone();
        let message = json!({
            "do": "message", "member": "s1", "sessionId": "s2", "kind": "commit", "epoch": 0,
            "data": commit["data"], "now": 14,
        });
        let of_first = ask(&mut members, &message)?["outputs"][0].clone();
        assert_eq!((&of_first["secret"], &of_first["number"]), (&of_second["secret"], &of_second["number"]));
        assert_eq!(of_first["members"], json!(["s1", "s2"]));

        // Another stay of the same session, which is called otherwise, and goes on when the one before is forgotten.
        let mut again = enter("s2 again", here("s1"), 15);
        again["sessionId"] = "s2".into();
        ask(&mut members, &again)?;
        ask(&mut members, &json!({ "do": "leave", "member": "s2", "now": 20 }))?;
        ask(&mut members, &json!({ "do": "tick", "member": "s2 again", "now": 20 }))?;
        assert!(ask(&mut members, &json!({ "do": "tick", "member": "s2", "now": 20 })).is_err());
        assert!(ask(&mut members, &json!({ "do": "dance", "member": "s1", "now": 20 })).is_err());
        Ok(())
    }
}
