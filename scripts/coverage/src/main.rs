//! Line coverage of the library crates.
//!
//! ```text
//! highwater-coverage PROFILES ROOT FLOOR CRATE[,CRATE…] OBJECT…
//!
//!   PROFILES  directory of the *.profraw files that an instrumented run wrote
//!   ROOT      the repository
//!   FLOOR     per cent of lines below which the exit code is 1
//!   CRATE     directory under ROOT whose `src` counts
//!   OBJECT    an instrumented executable
//! ```
//!
//! Prints the share of every file, crate and of all, and writes the lines that did not run to
//! `PROFILES/missed.txt`.
//!
//! A line counts when some region of code begins on it or covers it; it is covered when that code ran in any of the
//! executables. Test modules do not count: from `#[cfg(test)]` before a `mod` at the left margin to
//! the end of the file, as files here end with their tests.

use llvm_profparser::{CoverageMapping, SourceLocation, instrumentation_profile::types::InstrumentationProfile, parse};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [profiles, root, floor, crates, objects @ ..] = args.as_slice() else {
        eprintln!("usage: highwater-coverage PROFILES ROOT FLOOR CRATE[,CRATE…] OBJECT…");
        return ExitCode::from(2);
    };
    let crates: Vec<&str> = crates.split(',').collect();
    let objects: Vec<PathBuf> = objects.iter().map(PathBuf::from).collect();
    match (floor.parse(), lines(Path::new(profiles), Path::new(root), &crates, &objects)) {
        (Ok(floor), Ok(files)) => match std::fs::write(Path::new(profiles).join("missed.txt"), missed(&files)) {
            Ok(()) => report(&files, &crates, floor),
            Err(e) => fail(&format!("missed.txt: {e}")),
        },
        (Err(_), _) => fail(&format!("{floor} is not a number")),
        (_, Err(message)) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("coverage: {message}");
    ExitCode::from(2)
}

/// For each source file, relative to the root, its lines and whether each ran.
type Files = BTreeMap<PathBuf, BTreeMap<usize, bool>>;

fn lines(profiles: &Path, root: &Path, crates: &[&str], objects: &[PathBuf]) -> Result<Files, String> {
    let root = root.canonicalize().map_err(|e| format!("{}: {e}", root.display()))?;
    let profile = merged(profiles)?;
    let mut files = Files::new();
    for object in objects {
        let object = std::slice::from_ref(object);
        // `true` hands an error on where `false` would pass over the object in silence.
        let wanted = |paths: &[PathBuf]| paths.iter().any(|path| source(path, &root, crates).is_some());
        let found = CoverageMapping::new(object, &profile, true).and_then(|m| m.generate_subreport(wanted));
        let found = found.map_err(|e| format!("{}: {e}", object[0].display()))?;
        for (path, result) in &found.files {
            let Some(path) = source(path, &root, crates) else { continue };
            let lines = files.entry(path).or_default();
            for (line, hit) in hit_lines(&result.hits) {
                *lines.entry(line).or_default() |= hit;
            }
        }
    }
    for (path, lines) in &mut files {
        let text = std::fs::read_to_string(root.join(path)).map_err(|e| format!("{}: {e}", path.display()))?;
        let end = tests_begin(&text);
        lines.retain(|&line, _| line < end);
    }
    Ok(files)
}

/// All profiles as one. A process that was killed while it wrote leaves a file that cannot be read;
/// it is named and left out.
fn merged(directory: &Path) -> Result<InstrumentationProfile, String> {
    let entries = std::fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "profraw"));
    paths.sort();
    let mut merged: Option<InstrumentationProfile> = None;
    for path in paths {
        match (parse(&path), &mut merged) {
            (Ok(profile), Some(merged)) => merged.merge(&profile),
            (Ok(profile), None) => merged = Some(profile),
            (Err(e), _) => eprintln!("coverage: {} is left out: {e}", path.display()),
        }
    }
    merged.ok_or_else(|| format!("no profile in {}", directory.display()))
}

/// The path under the root, when it is a source file of one of the crates.
fn source(path: &Path, root: &Path, crates: &[&str]) -> Option<PathBuf> {
    let path = path.strip_prefix(root).unwrap_or(path);
    crates.iter().any(|name| path.starts_with(Path::new(name).join("src"))).then(|| path.to_owned())
}

/// Which lines the regions say ran: by the regions that begin on the line, or else by the innermost
/// one around it, as llvm-cov does.
///
/// ```text
/// 10  let x = if a {        region 10–14 ran          10 ran
/// 11      f(a)?             regions 11, `?` did not   11 ran
/// 12  } else {              none begins               12 as the innermost around it
/// 13      g()               region 13 did not         13 did not
/// ```
fn hit_lines(regions: &BTreeMap<SourceLocation, usize>) -> BTreeMap<usize, bool> {
    let mut lines: BTreeMap<usize, (Around, bool)> = BTreeMap::new();
    for (region, &count) in regions {
        // A count is the difference of two; read as signed, it is not negative in a profile that is whole.
        let hit = count as i64 > 0;
        // The high bit of the last column marks a gap: white space, which no line is about.
        if region.column_end >> 31 & 1 == 1 {
            continue;
        }
        for line in region.line_start..=region.line_end {
            let around = if region.line_start == line {
                Around::BeginsHere
            } else {
                Around::Inside { line_start: region.line_start, column_start: region.column_start }
            };
            let known = lines.entry(line).or_insert((around, hit));
            if around > known.0 {
                *known = (around, hit);
            } else if around == known.0 {
                known.1 |= hit;
            }
        }
    }
    lines.into_iter().map(|(line, (_, hit))| (line, hit)).collect()
}

/// How closely a region is about a line; the greatest decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Around {
    Inside { line_start: usize, column_start: usize },
    BeginsHere,
}

/// The line at which the tests of a file begin.
fn tests_begin(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begin = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    begin.map_or(usize::MAX, |index| index + 1)
}

/// Prints one line for each file and crate, and the total.
fn report(files: &Files, crates: &[&str], floor: f64) -> ExitCode {
    let mut all = (0, 0);
    for name in crates {
        let mut sum = (0, 0);
        for (path, lines) in files.iter().filter(|(path, _)| path.starts_with(name)) {
            let hit = lines.values().filter(|&&hit| hit).count();
            println!("{}  {}", share(hit, lines.len()), path.display());
            sum = (sum.0 + hit, sum.1 + lines.len());
        }
        println!("{}  {name}\n", share(sum.0, sum.1));
        if sum.1 == 0 {
            return fail(&format!("no line of {name} was instrumented"));
        }
        all = (all.0 + sum.0, all.1 + sum.1);
    }
    println!("line coverage of {}: {}, at least {floor} % wanted", crates.join(", "), share(all.0, all.1).trim());
    if per_cent(all.0, all.1) < floor { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The lines that did not run, as ranges, one text line for each file.
fn missed(files: &Files) -> String {
    let mut text = String::new();
    for (path, lines) in files {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut run_before = true;
        for (&line, &hit) in lines {
            match ranges.last_mut() {
                _ if hit => {}
                Some(range) if !run_before => range.1 = line,
                _ => ranges.push((line, line)),
            }
            run_before = hit;
        }
        if !ranges.is_empty() {
            let ranges: Vec<String> = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect();
            text += &format!("{}: {}\n", path.display(), ranges.join(" "));
        }
    }
    text
}

fn per_cent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn share(part: usize, whole: usize) -> String {
    format!("{:6.2} % {part:6} of {whole:6} lines", per_cent(part, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(line_start: usize, column_start: usize, line_end: usize, column_end: usize) -> SourceLocation {
        SourceLocation { line_start, column_start, line_end, column_end }
    }

    #[test]
    fn a_region_that_begins_on_a_line_decides_over_those_around_it() {
        let regions =
            [(region(1, 1, 5, 2), 3), (region(2, 5, 3, 9), 0), (region(4, 5, 4, 9), 0), (region(4, 9, 4, 12), 1)];
        let lines = hit_lines(&regions.into_iter().collect());
        assert_eq!(lines.into_iter().collect::<Vec<_>>(), [(1, true), (2, false), (3, false), (4, true), (5, true)]);
    }

    #[test]
    fn missed_lines_are_told_as_ranges() {
        let lines = [(1, true), (2, false), (3, false), (5, false), (6, true), (9, false)].into_iter().collect();
        assert_eq!(missed(&[(PathBuf::from("a.rs"), lines)].into_iter().collect()), "a.rs: 2-5 9-9\n");
    }

    #[test]
    fn tests_at_the_end_of_a_file_do_not_count() {
        assert_eq!(tests_begin("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), 3);
        assert_eq!(tests_begin("#[cfg(test)]\nuse x;\nfn a() {}\n"), usize::MAX);
    }
}
