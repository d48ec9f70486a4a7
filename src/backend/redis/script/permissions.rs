//! The commands that scripts run, found in their texts: a server's user must be permitted all of them.

use std::collections::BTreeSet;

use super::arguments::ALL;
use super::assembly::assemble;

/// What stands before the name of a command.
const CALLS: [&str; 3] = ["call('", "pcall_redis('", "write('"];

/// Asks which of the commands in `ARGV`, from the second on, the user may not run. Words of a command are
/// separated by spaces, and `@` is a key that is named like the first argument. Needs no permission but
/// that for `EVAL`. Redis 6 cannot be asked, and a command that the server does not know is left out.
pub const REFUSED: &str = "
local may_run, refused = redis.acl_check_cmd, {}
for i = 2, may_run and #ARGV or 0 do
  local words = {}
  for word in string.gmatch(ARGV[i], '%S+') do
    words[#words + 1] = word == '@' and ARGV[1] or word
  end
  local is_known, is_permitted = pcall(may_run, unpack(words))
  if is_known and not is_permitted then
    refused[#refused + 1] = ARGV[i]
  end
end
return refused
";

/// The commands that a script's text names.
pub fn commands_of(text: &str) -> BTreeSet<String> {
    let names = CALLS.iter().flat_map(|call| text.split(call).skip(1));
    let names = names.filter_map(|rest| Some(rest.split_once('\'')?.0.to_owned()));
    names.collect()
}

/// The commands of all scripts, or only of those that operators do not need.
pub fn commands(of_operators: bool) -> BTreeSet<String> {
    let scripts = ALL.iter();
    let scripts = scripts.filter(|script| of_operators || !script.path.starts_with("admin/"));
    let commands = scripts.flat_map(|script| commands_of(&assemble(script.file, script.writes)));
    commands.collect()
}
