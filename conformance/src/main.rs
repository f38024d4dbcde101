//! Judges a client of Webflow's Update Items endpoint.

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

/// Judges a client of Webflow's Update Items endpoint: today the crate webflow-cms.
#[derive(Parser)]
#[command(version, name = "webflow-cms-conformance")]
struct Arguments {
    /// How many cases each rule gets, those of bulk runs half as many. Fewer than 100 prove too little, and the run fails.
    #[arg(long, default_value_t = 200)]
    cases: u64,
    /// Decides the cases: the same seed gives the same ones.
    #[arg(long, default_value_t = 20_260_915)]
    seed: u64,
    /// A rule, or a group of rules, to run alone. Can be given more than once.
    #[arg(long)]
    rule: Vec<String>,
    /// The number of one case to try again, alone.
    #[arg(long)]
    case: Option<u64>,
    /// Where to write the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Prints every rule with its law and its source, and runs none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match judge(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the run broke off: {error}");
            ExitCode::from(2)
        }
    }
}

fn judge(arguments: &Arguments) -> io::Result<bool> {
    let mut rules = rules::all();
    let known = |wanted: &String| {
        rules
            .iter()
            .any(|rule| rule.id == wanted || rule.group() == wanted)
    };
    if let Some(unknown) = arguments.rule.iter().find(|wanted| !known(wanted)) {
        return Err(io::Error::other(format!(
            "there is no rule and no group `{unknown}`; --list shows all"
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
                rule.id, rule.law, rule.source
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
    // A panic of the client is an outcome, and its message is part of it.
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
