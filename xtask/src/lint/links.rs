//! References to files of the repository, in documents and in comments.

use std::fs;
use std::path::{Path, PathBuf};

/// The links in Markdown files that lead to no file or no heading of the repository, and the paths
/// `docs/...` there and in comments that name no file. Links to other sites are not followed.
pub fn broken(root: &Path) -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
    for file in files(root).map_err(|error| error.to_string())? {
        let comment = match file.extension().and_then(|kind| kind.to_str()) {
            Some("md") => "",
            Some("rs") => "//",
            Some("lua") => "--",
            _ => continue,
        };
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let mut is_example = !comment.is_empty();
        for (line, number) in text.lines().zip(1..) {
            is_example ^= line.starts_with("```");
            let mut mentions = mentions(line, comment).filter(|path| !root.join(path).exists());
            let mut links = links(line).filter(|link| !is_example && !leads_somewhere(&file, link));
            let bad = mentions.next().or_else(|| links.next());
            let place = file.strip_prefix(root).unwrap_or(&file).display();
            broken.extend(bad.map(|bad| format!("{place}:{number}: {bad} does not exist")));
        }
    }
    Ok(broken)
}

fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            files.extend(self::files(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

// The targets of `[text](target)` that are in the repository.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next());
    targets.filter(|target| !target.contains(':') && !target.is_empty())
}

// The paths that begin with `docs/`, in the comment of a line.
fn mentions<'a>(line: &'a str, comment: &str) -> impl Iterator<Item = &'a str> {
    let text = line.split_once(comment).map_or("", |(_, text)| text);
    let is_path = |byte: char| byte.is_ascii_alphanumeric() || "/._-*".contains(byte);
    let words = text
        .split(move |byte| !is_path(byte))
        .map(|word| word.trim_end_matches('.'));
    words.filter(|word| word.starts_with("docs/") && !word.contains('*'))
}

fn leads_somewhere(from: &Path, link: &str) -> bool {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let directory = from.parent().unwrap_or(from);
    let target = if path.is_empty() {
        from.to_owned()
    } else {
        directory.join(path)
    };
    if heading.is_empty() || target.extension().is_none_or(|kind| kind != "md") {
        return target.exists();
    }
    let text = fs::read_to_string(target).unwrap_or_default();
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#')))
        .any(|anchor| anchor == heading)
}

// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}
