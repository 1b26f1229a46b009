//! The rules about the code base that the compiler cannot check.
//!
//! 1. Every source file says in its first line what it is for, and has at most 500 lines.
//! 2. A module uses only the modules declared above it in its crate's root. So `lib.rs` reads as
//!    the layers of the crate from the ground up, and no two modules import each other.
//! 3. A crate uses only the crates of ours that the table below lets it see.
//! 4. The name of an attribute is written down once, in the vocabulary, and used from there.
//! 5. Nothing points into the machine that it was written on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which crates of ours a crate may use, tests and benchmarks aside.
const MAY_SEE: [(&str, &[&str]); 9] = [
    ("glassbox-trace", &[]),
    ("glassbox-events", &["glassbox-trace"]),
    ("glassbox-telemetry", &["glassbox-trace", "glassbox-events"]),
    ("glassbox-macros", &[]),
    (
        "glassbox",
        &[
            "glassbox-trace",
            "glassbox-events",
            "glassbox-macros",
            "glassbox-sandbox",
            "glassbox-telemetry",
        ],
    ),
    ("glassbox-sandbox", &[]),
    ("glassbox-server", &["glassbox-trace"]),
    ("glassbox-sim", &[]),
    (
        "glassbox-cli",
        &[
            "glassbox",
            "glassbox-events",
            "glassbox-sandbox",
            "glassbox-server",
            "glassbox-sim",
            "glassbox-telemetry",
            "glassbox-trace",
        ],
    ),
];

const MOST_LINES: usize = 500;

/// Made by programs.
const GENERATED: [&str; 2] = ["Cargo.lock", "crates/trace/src/prices.json"];

/// Where attribute names are written down, a file or a folder.
const VOCABULARY: &str = "crates/trace/src/vocabulary";

#[test]
fn files_say_what_they_are_for() {
    let mut silent = tracked(&["rs"]);
    silent.retain(|path| !read(path).starts_with("//!"));

    assert!(silent.is_empty(), "no `//!` on the first line: {silent:#?}");
}

#[test]
fn files_are_short() {
    let mut long = tracked(&["rs", "md", "toml", "js", "css", "html", "sh", "json"]);
    long.retain(|path| !GENERATED.iter().any(|generated| path.ends_with(generated)));
    long.retain(|path| read(path).lines().count() > MOST_LINES);

    assert!(long.is_empty(), "more than {MOST_LINES} lines: {long:#?}");
}

#[test]
fn modules_use_only_modules_declared_above_them() {
    let mut upward = Vec::new();
    for krate in subdirs(&root().join("crates")) {
        let src = krate.join("src");
        let layers = layers(&src);
        for (height, module) in layers.iter().enumerate() {
            for path in module_files(&src, module) {
                for used in modules_used(&src, &path) {
                    if layers[height + 1..].contains(&used) {
                        upward.push(format!("{} uses `crate::{used}`", path.display()));
                    }
                }
            }
        }
    }

    assert!(upward.is_empty(), "imports against the layers: {upward:#?}");
}

#[test]
fn crates_use_only_crates_they_may_see() {
    let mut hidden = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let in_crates = package["manifest_path"].as_str().unwrap().starts_with(
            root().join("crates").to_str().expect("the path of the checkout is UTF-8"),
        );
        let Some((_, may_see)) = MAY_SEE.iter().find(|(krate, _)| *krate == name) else {
            if in_crates {
                hidden.push(format!("{name} is not in the table, add what it may see"));
            }
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let is_ours = used == "glassbox" || used.starts_with("glassbox-");
            if is_ours && dependency["kind"] != "dev" && !may_see.contains(&used) {
                hidden.push(format!("{name} uses {used}"));
            }
        }
    }

    assert!(hidden.is_empty(), "crates that use what they may not see: {hidden:#?}");
}

#[test]
fn attribute_names_are_defined_once() {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for path in tracked(&["rs"]).into_iter().filter(|path| is_vocabulary(path)) {
        for key in constants(&code_of(&path)) {
            if !seen.insert(key.clone()) {
                twice.push(key);
            }
        }
    }

    assert!(!seen.is_empty(), "no `pub const NAME: &str = \"key\";` under {VOCABULARY}");
    assert!(twice.is_empty(), "in the vocabulary more than once: {twice:#?}");
}

#[test]
fn attribute_names_come_from_the_vocabulary() {
    let mut literal = Vec::new();
    for path in tracked(&["rs"]) {
        let relative = path.strip_prefix(root()).unwrap();
        let parts: Vec<_> = relative.iter().map(|part| part.to_str().unwrap_or_default()).collect();
        // `crates/NAME/src/..`, without tests in files of their own.
        let is_source = matches!(parts.as_slice(), ["crates", _, "src", ..]);
        let is_test = path.ends_with("tests.rs") || parts.contains(&"tests");
        if !is_source || is_vocabulary(&path) || is_test {
            continue;
        }
        for (at, line) in code_of(&path).lines().enumerate() {
            if line.contains("\"gen_ai.") || line.contains("\"langfuse.") {
                literal.push(format!("{}:{}: {}", relative.display(), at + 1, line.trim()));
            }
        }
    }

    assert!(literal.is_empty(), "use the constants of {VOCABULARY} instead: {literal:#?}");
}

#[test]
fn nothing_points_into_the_machine_it_was_written_on() {
    // In pieces, or this file would point there itself.
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut pointing = Vec::new();
    for path in tracked(&["rs", "md", "toml", "js", "css", "html", "sh", "yml", "yaml", "run"]) {
        for (at, line) in read(&path).lines().enumerate() {
            if paths.iter().any(|machine| line.contains(machine)) {
                pointing.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }

    assert!(pointing.is_empty(), "paths of one machine: {pointing:#?}");
}

#[test]
fn a_reader_finds_the_way_in() {
    for name in ["README.md", "CHANGELOG.md"] {
        assert!(root().join(name).is_file(), "no {name}");
    }
}

/// The modules of a crate, in the order its root declares them.
fn layers(src: &Path) -> Vec<String> {
    let roots = ["lib.rs", "main.rs"].map(|name| src.join(name));
    let root = roots.iter().find(|path| path.exists()).expect("a crate has a root");
    read(root)
        .lines()
        .filter_map(|line| {
            let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            line.strip_prefix("mod ")?.strip_suffix(';')
        })
        .map(str::to_owned)
        .collect()
}

/// The first segments of the `crate::` paths in a file, outside comments and tests.
fn modules_used(src: &Path, path: &Path) -> Vec<String> {
    let mut code = code_of(path);
    let depth = path.strip_prefix(src).unwrap().components().count();
    let is_module_root = depth == 1 || (depth == 2 && path.ends_with("mod.rs"));
    if is_module_root {
        code = code.replace("super::", "crate::");
    }

    code.split("crate::").skip(1).flat_map(first_segments).collect()
}

/// `a::b` gives `a`; `{a::b, c::{d, e}}` gives `a` and `c`.
fn first_segments(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![identifier(path)];
    };

    let mut segments = Vec::new();
    let mut depth = 0;
    let mut expected = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && depth == 0 && !c.is_whitespace() => {
                segments.push(identifier(&group[at..]));
                expected = false;
            }
            _ => (),
        }
    }
    segments
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn module_files(src: &Path, module: &str) -> Vec<PathBuf> {
    let mut files = sources(&src.join(module));
    files.extend(Some(src.join(format!("{module}.rs"))).filter(|path| path.exists()));
    files
}

/// A file's text with comments and what follows the head of its tests left out, line by line.
fn code_of(path: &Path) -> String {
    let text = read(path);
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let blank = |line: &str| line.trim_start().starts_with("//");
    code.lines().flat_map(|line| [if blank(line) { "" } else { line }, "\n"]).collect()
}

/// The values of the string constants in a file.
fn constants(code: &str) -> Vec<String> {
    let values = code.split(": &str =").skip(1);
    values.filter_map(|value| value.split('"').nth(1)).map(str::to_owned).collect()
}

fn is_vocabulary(path: &Path) -> bool {
    let vocabulary = root().join(VOCABULARY);
    path.starts_with(&vocabulary) || path == vocabulary.with_extension("rs")
}

/// The files of the repository that end in one of these ways, also new ones that git does not ignore.
fn tracked(extensions: &[&str]) -> Vec<PathBuf> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let git = Command::new("git").current_dir(root()).args(list).output().expect("git runs");
    assert!(git.status.success(), "git: {}", String::from_utf8_lossy(&git.stderr));
    let names = String::from_utf8(git.stdout).expect("names of files are UTF-8");
    let wanted = |path: &Path| {
        let extension = path.extension().or(path.file_name()).and_then(|name| name.to_str());
        extensions.iter().any(|wanted| extension == Some(wanted))
    };
    let paths = names.split('\0').map(|name| root().join(name));
    // A deleted file is listed until the deletion is committed.
    paths.filter(|path| wanted(path) && path.is_file()).collect()
}

/// The packages of the workspace, as cargo describes them.
fn packages() -> Vec<Value> {
    let metadata = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let cargo = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(metadata)
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "cargo: {}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return files };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn subdirs(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the checkout")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
