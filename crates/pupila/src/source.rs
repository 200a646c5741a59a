//! What a run was made from: the program, its version, and the git commit that stands checked out where it was started.

use pupila_trackers::redact;
use std::path::Path;

/// Tags by the names that MLflow gives them, and the path of the data.
pub(super) fn tags(data: &Path) -> Vec<(String, String)> {
    let mut tags = vec![
        ("mlflow.source.name".to_owned(), "pupila train".to_owned()),
        ("mlflow.source.type".to_owned(), "LOCAL".to_owned()),
        ("pupila.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("pupila.data".to_owned(), redact(&data.to_string_lossy())),
    ];
    if let Ok(user) = std::env::var("USER") {
        tags.push(("mlflow.user".to_owned(), user));
    }
    if let Some(commit) = std::env::current_dir().ok().and_then(|folder| commit(&folder)) {
        tags.push(("mlflow.source.git.commit".to_owned(), commit));
    }
    tags
}

/// The commit of the work tree that a folder is in, read from git's files: HEAD is a commit, or names a branch, which is a
/// file or a line of `packed-refs`. In a linked work tree `.git` is a file that says where HEAD is, and `commondir` there
/// says where the branches are.
fn commit(folder: &Path) -> Option<String> {
    let dot_git = folder.ancestors().map(|folder| folder.join(".git")).find(|path| path.exists())?;
    let git = match std::fs::read_to_string(&dot_git) {
        Ok(pointer) => dot_git.parent()?.join(pointer.strip_prefix("gitdir:")?.trim()),
        Err(_) => dot_git,
    };
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(branch) = head.trim().strip_prefix("ref:").map(str::trim) else { return is_commit(head.trim()) };
    let common =
        std::fs::read_to_string(git.join("commondir")).map_or(git.clone(), |path| git.join(path.trim()));
    if let Ok(commit) = std::fs::read_to_string(common.join(branch)) {
        return is_commit(commit.trim());
    }
    let packed = std::fs::read_to_string(common.join("packed-refs")).ok()?;
    let line = packed.lines().find(|line| line.split_once(' ').is_some_and(|(_, name)| name == branch))?;
    is_commit(line.split_once(' ')?.0)
}

fn is_commit(text: &str) -> Option<String> {
    (text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_commit_is_found_however_git_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        fs::create_dir_all(root.join(".git/refs/heads")).unwrap();
        fs::create_dir_all(root.join("deep/er")).unwrap();
        fs::write(root.join(".git/HEAD"), format!("{one}\n")).unwrap();
        assert_eq!(commit(&root.join("deep/er")), Some(one.clone()));
        fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(commit(root), None);
        fs::write(root.join(".git/packed-refs"), format!("# pack\n{two} refs/heads/main\n")).unwrap();
        assert_eq!(commit(root), Some(two));
        fs::write(root.join(".git/refs/heads/main"), format!("{one}\n")).unwrap();
        assert_eq!(commit(root), Some(one.clone()));
        // A linked work tree.
        fs::create_dir_all(root.join(".git/worktrees/w")).unwrap();
        fs::write(root.join(".git/worktrees/w/HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(root.join(".git/worktrees/w/commondir"), "../..\n").unwrap();
        fs::write(root.join("deep/.git"), "gitdir: ../.git/worktrees/w\n").unwrap();
        assert_eq!(commit(&root.join("deep/er")), Some(one));
    }
}
