//! The command `webflow-cms-conformance`: runs the rules against a client and prints the report.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use webflow_cms_conformance::clients::Sdk;
use webflow_cms_conformance::panics;
use webflow_cms_conformance::regressions;
use webflow_cms_conformance::report::table;
use webflow_cms_conformance::rules;
use webflow_cms_conformance::run::{Plan, run};

/// Tests a client of Webflow's Update Items endpoint against the rules. The client under test is the crate webflow-cms.
#[derive(Parser)]
#[command(version, name = "webflow-cms-conformance")]
struct Arguments {
    /// Number of cases of each rule; the rules about bulk runs get half as many. With fewer than 100 the run fails.
    #[arg(long, default_value_t = 200)]
    cases: u64,
    /// Seed of the random cases. The same seed gives the same cases.
    #[arg(long, default_value_t = 20_260_915)]
    seed: u64,
    /// Id of a rule, or a group of rules, to run alone. Can be given more than once.
    #[arg(long)]
    rule: Vec<String>,
    /// Number of one case to reproduce, alone.
    #[arg(long)]
    case: Option<u64>,
    /// File that the report is written to as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Prints each rule with its property and source, and runs none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match execute(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn execute(arguments: &Arguments) -> io::Result<bool> {
    let mut rules = rules::all();
    let known = |wanted: &String| {
        rules
            .iter()
            .any(|rule| rule.id == wanted || rule.group() == wanted)
    };
    if let Some(unknown) = arguments.rule.iter().find(|wanted| !known(wanted)) {
        return Err(io::Error::other(format!(
            "no rule or group is named `{unknown}`; --list shows all of them"
        )));
    }
    if !arguments.rule.is_empty() {
        rules.retain(|rule| {
            arguments
                .rule
                .iter()
                .any(|wanted| rule.id == wanted || rule.group() == wanted)
        });
    }
    let mut out = io::stdout().lock();
    if arguments.list {
        for rule in &rules {
            writeln!(
                out,
                "{}\n    {}\n    source: {}",
                rule.id, rule.property, rule.source
            )?;
        }
        return Ok(true);
    }
    let plan = Plan {
        seed: arguments.seed,
        cases: arguments.cases,
        case: arguments.case,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(plan.threads)
        .enable_all()
        .build()?;
    // A panic of the client is an outcome, and its message belongs in the report.
    panics::collect();
    let report = run(&Sdk::default(), &rules, &plan, runtime.handle(), &|rule| {
        regressions::of(rule)
    })?;
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    writeln!(out, "{}", table(&report))?;
    Ok(report.passed())
}
