//! `highwater demo`: the main job in one command, with data that ends now.

mod wells;

use super::serve::Signals;
use super::{fail, log};
use crate::Server;
use crate::settings::{Given, Settings};
use bytes::Bytes;
use clap::Args;
use futures::StreamExt;
use highwater::{Outcome, Session};
use indicatif::{ProgressBar, ProgressStyle};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wells::Wells;

const SCHEMA: &str = include_str!("demo/well_telemetry.sql");

/// The same question on the aggregate and on raw rows.
const FROM_AGGREGATE: &str = "SELECT bucket, avg_flow_rate, max_motor_temp FROM telemetry_hourly \
     WHERE well_id = 'WELL-001' AND bucket >= date_trunc('hour', now()) - INTERVAL '24 hours' ORDER BY bucket";
const FROM_ROWS: &str = "SELECT time_bucket('1 hour', timestamp) AS bucket, avg(flow_rate), max(motor_temp) FROM esp_telemetry \
     WHERE well_id = 'WELL-001' AND timestamp >= date_trunc('hour', now()) - INTERVAL '24 hours' GROUP BY bucket ORDER BY bucket";
const FLEET_FROM_AGGREGATE: &str = "SELECT bucket, sum(readings), avg(avg_oil_rate), max(max_motor_temp) FROM telemetry_daily GROUP BY bucket ORDER BY bucket";
const FLEET_FROM_ROWS: &str = "SELECT time_bucket('1 day', timestamp) AS bucket, count(*), avg(oil_rate), max(motor_temp) \
     FROM esp_telemetry GROUP BY bucket ORDER BY bucket";

/// Show continuous aggregates at work: wells, their readings, two aggregates and their policies.
///
/// Takes the settings of `serve`. Where the default address is in use a free port is taken.
#[derive(Debug, Args)]
pub struct Demo {
    /// Stop by itself after this many seconds; otherwise Ctrl-C stops it.
    #[arg(long)]
    seconds: Option<u64>,
    /// How many wells.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=999))]
    wells: u16,
    /// How many days of readings, one a minute.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=365))]
    days: u16,
    /// TOML file with settings.
    #[arg(long, env = "HIGHWATER_CONFIG", hide_env = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

impl Demo {
    pub(super) async fn run(mut self) -> ExitCode {
        let temporary = match self.given.data_dir {
            Some(_) => None,
            None => match tempfile::Builder::new().prefix("highwater-demo-").tempdir() {
                Ok(dir) => {
                    self.given.data_dir = Some(dir.path().to_owned());
                    Some(dir)
                }
                Err(e) => {
                    return fail(format!("cannot make a temporary directory: {e}"), Some("Give one with --data-dir."));
                }
            },
        };
        self.given.log_level.get_or_insert_with(|| "warn".to_owned());
        let (chosen_pg, chosen_http) = (self.given.pg.is_some(), self.given.http.is_some());
        let mut settings = match Settings::resolve(std::mem::take(&mut self.given), self.config.as_deref()) {
            Ok(settings) => settings,
            Err(e) => return fail(e, None),
        };
        if let Err(e) = log(&settings.log_level) {
            return fail(e, None);
        }
        settings.pg = free(settings.pg, chosen_pg);
        settings.http = free(settings.http, chosen_http);
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(e) => return fail(format!("cannot wait for signals: {e}"), None),
        };
        let server = match Server::start(settings).await {
            Ok(server) => server,
            Err(e) => return fail(e, None),
        };
        let shown = tokio::select! {
            shown = self.show(&server) => shown,
            () = signals.next() => Ok(()),
        };
        let code = match shown {
            Ok(()) => {
                let until = async {
                    match self.seconds {
                        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = until => {}
                    () = signals.next() => {}
                }
                ExitCode::SUCCESS
            }
            Err(e) => fail(&e, e.hint.as_deref()),
        };
        let stopped = server.stop().await;
        drop(temporary);
        match stopped {
            Ok(()) => code,
            Err(e) => fail(e, None),
        }
    }

    async fn show(&self, server: &Server) -> highwater::Result<()> {
        println!("listening on postgresql://{}/", server.pg_addr());
        println!("listening on http://{}/", server.http_addr());
        let mut session = server.instance().session("postgres", "postgres").await?;
        if exists(&mut session).await? {
            println!("the directory holds the demo's data already; showing it as it is");
        } else {
            session.run(SCHEMA).await?;
            self.load(&mut session).await?;
            for view in ["telemetry_hourly", "telemetry_daily"] {
                let begun = Instant::now();
                session.run(&format!("CALL refresh_continuous_aggregate('{view}', NULL, NULL)")).await?;
                println!("refreshed {view} in {:.2} s", begun.elapsed().as_secs_f64());
            }
        }
        println!();
        // The second question would be answered from the aggregates too.
        session.run("SET highwater.enable_rewrite = off").await?;
        for (question, aggregate, rows) in [
            ("one well, 24 hours by the hour", FROM_AGGREGATE, FROM_ROWS),
            ("all wells, every day", FLEET_FROM_AGGREGATE, FLEET_FROM_ROWS),
        ] {
            let (fast, slow) = (median(&mut session, aggregate).await?, median(&mut session, rows).await?);
            println!(
                "{question:32} {:8.2} ms from the aggregate, {:9.2} ms from raw rows: {:.0} times faster",
                fast * 1e3,
                slow * 1e3,
                slow / fast
            );
        }
        println!("\ntry   psql -h {} -p {} -U postgres", server.pg_addr().ip(), server.pg_addr().port());
        println!("      SELECT * FROM telemetry_hourly WHERE well_id = 'WELL-001' ORDER BY bucket DESC LIMIT 5;");
        println!(
            "      SELECT view_name, watermark, pending_ranges FROM timescaledb_information.continuous_aggregates;"
        );
        match self.seconds {
            Some(seconds) => println!("stopping in {seconds} s"),
            None => println!("Ctrl-C stops it"),
        }
        Ok(())
    }

    async fn load(&self, session: &mut Session) -> highwater::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
        let mut wells = Wells::new(usize::from(self.wells), i64::from(self.days), now);
        let bar = ProgressBar::new(wells.rows());
        if let Ok(style) =
            ProgressStyle::with_template("loading readings {bar:40} {human_pos}/{human_len} rows  {per_sec}")
        {
            bar.set_style(style);
        }
        let begun = Instant::now();
        let prepared = session.parse("COPY esp_telemetry FROM STDIN WITH (FORMAT csv)")?;
        let Outcome::CopyIn(mut copy) = session.execute(&prepared, Vec::new()).await? else {
            return Err(highwater::Error::internal("COPY FROM STDIN takes data"));
        };
        let mut loaded = 0;
        // The next day is made while this one is read.
        let mut next = make_day(&mut wells);
        while let Some((csv, rows)) = next {
            let (made, read) = tokio::join!(
                async { tokio::task::block_in_place(|| make_day(&mut wells)) },
                session.copy_data(&mut copy, csv)
            );
            read?;
            loaded += rows;
            bar.set_position(loaded);
            next = made;
        }
        session.copy_done(copy).await?;
        bar.finish_and_clear();
        let seconds = begun.elapsed().as_secs_f64();
        println!("loaded {loaded} rows of 23 columns in {seconds:.1} s ({:.0} rows/s)", loaded as f64 / seconds);
        Ok(())
    }
}

fn make_day(wells: &mut Wells) -> Option<(Bytes, u64)> {
    wells.next_day().map(|(csv, rows)| (Bytes::from(csv), rows))
}

async fn exists(session: &mut Session) -> highwater::Result<bool> {
    Ok(session.prepare("SELECT 1 FROM esp_telemetry", &[]).await.is_ok())
}

/// Seconds that a query takes, the middle of several.
async fn median(session: &mut Session, sql: &str) -> highwater::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        let prepared = session.parse(sql)?;
        if let Outcome::Rows { mut rows, .. } = session.execute(&prepared, Vec::new()).await? {
            while let Some(batch) = rows.next().await {
                batch?;
            }
        }
        times.push(begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// The address, or the same with a free port where it is in use and nobody asked for it.
fn free(address: SocketAddr, chosen: bool) -> SocketAddr {
    if chosen || std::net::TcpListener::bind(address).is_ok() {
        return address;
    }
    println!("{address} is in use; taking a free port");
    SocketAddr::new(address.ip(), 0)
}
