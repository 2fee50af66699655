//! The command `highwater`.

fn main() -> std::process::ExitCode {
    highwater_server::command::main()
}
