//! A hundred times: one seat is free, fifty want it at two replicas, exactly one gets it.

use railgun_client::ErrorCode;
use railgun_tests::Cluster;
use tokio::task::JoinSet;

const ROUNDS: usize = 100;
const RACERS: usize = 50;
const SEATED: usize = 7;

#[tokio::test]
async fn of_fifty_who_race_for_the_last_seat_one_gets_it() {
    let cluster = Cluster::start(2, 2).await.unwrap();
    let mut seated = Vec::new();
    for number in 0..SEATED {
        let client = cluster.client(&format!("seated-{number}"), number % 2).await.unwrap();
        client.join("full").await.unwrap();
        seated.push(client);
    }
    let mut racers = Vec::new();
    for number in 0..RACERS {
        racers.push(cluster.client(&format!("racer-{number}"), number % 2).await.unwrap());
    }
    for round in 0..ROUNDS {
        let mut race = JoinSet::new();
        for racer in racers.iter().cloned() {
            race.spawn(async move {
                let joined = racer.join("full").await;
                (racer, joined)
            });
        }
        let mut winners = Vec::new();
        for (racer, joined) in race.join_all().await {
            match joined {
                Ok(_) => winners.push(racer),
                Err(error) => {
                    assert_eq!(error.code(), Some(ErrorCode::ChannelFull), "round {round}: {error}")
                }
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        winners[0].leave().await.unwrap();
    }
}
