//! Commands beside serving, which `railgun` and `railgun-control` both have.

pub mod token;

use crate::turn::coturn::{self, CoturnOptions};
use crate::{OperatorScope, certs, operator_token_entry};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Ends when it has done what it is for.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Make a token for a user, with a key of your own.
    Token(token::Token),
    /// Make certificates for trials, for the link between the planes.
    Certs(Certs),
    /// Write the configuration of a TURN relay (coturn) for these media nodes.
    TurnConfig(CoturnOptions),
    /// Make a token for the operators' API, and the entry to put into its file.
    OperatorToken(OperatorToken),
}

/// `certs`
#[derive(Args, Debug)]
pub struct Certs {
    /// Where to write them.
    #[arg(long)]
    out: PathBuf,
    /// A DNS name or address that media nodes are reached at, or a node_id, beside those of this host.
    #[arg(long)]
    node_san: Vec<String>,
}

/// `operator-token`
#[derive(Args, Debug)]
pub struct OperatorToken {
    /// Who or what uses it; the audit log shows it.
    #[arg(long)]
    name: String,
    /// What it is good for, such as bans:write; as often as needed.
    #[arg(long = "scope", required = true)]
    scopes: Vec<OperatorScope>,
}

impl Tool {
    /// Does it; prints what there is to print.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Token(token) => token.mint(),
            Self::OperatorToken(OperatorToken { name, scopes }) => {
                let token = format!("{:032x}", rand::random::<u128>());
                eprintln!("# The token, which is shown this once: {token}");
                print!("{}", operator_token_entry(&name, &token, &scopes));
                Ok(())
            }
            Self::Certs(Certs { out, node_san }) => {
                certs::write(&out, &[certs::names_of_this_host(), node_san].concat())?;
                println!(
                    "made ca.pem, control.pem, control.key, media.pem and media.key in {}",
                    out.display()
                );
                Ok(())
            }
            Self::TurnConfig(options) => {
                coturn::write(&options)?;
                println!("wrote {}", options.out.display());
                Ok(())
            }
        }
    }
}
