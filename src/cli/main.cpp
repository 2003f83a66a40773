// SPDX-License-Identifier: Apache-2.0
// gemel: the command line. Results go to stdout, everything else to stderr. Exit codes (docs/reference/cli.md):
// 0 done, 2 the user's mistake, 3 a bug of ours, 4 the run found something wrong, 128 + the signal: interrupted.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "base/heap.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/signals.hpp"
#include "gemel/error.hpp"
#include "gemel/version.hpp"

extern "C" int sc_main(int, char**) { return 0; }  // never called; libsystemc refers to it

namespace {

enum ExitCode { Done = 0, UserMistake = 2, OurBug = 3, RunFailed = 4 };

int report(const gemel::Error& error, ExitCode code) {
  std::cerr << to_string(error.diagnostics()) << "\n";
  return code;
}

}  // namespace

void gemel::cli::end_at_once(const UserError& error) { ::_exit(report(error, UserMistake)); }

int main(int argc, char** argv) {
  gemel::prepare_heap();
  CLI::App app{"Gemel: a cycle-accurate simulator of a systolic-array NPU"};
  app.set_version_flag("--version", "gemel " + gemel::version() + (gemel::commit().empty() ? "" : " (" + gemel::commit() + ")"));
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of all commands");
  gemel::cli::add_commands(app);
  try {
    gemel::cli::check_arguments(app, argc, argv);
    app.parse(argc, argv);
    std::cout.flush();
    if (!std::cout) throw gemel::UserError("E0903", "standard output cannot be written", "is the disk full, or the reader gone?");
    return Done;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return report(gemel::cli::usage_error(app, error), UserMistake);
  } catch (const gemel::UserError& error) {
    return report(error, UserMistake);
  } catch (const gemel::RunError& error) {
    return report(error, RunFailed);
  } catch (const gemel::Interrupted& error) {
    std::cerr << error.what() << "\n";
    return gemel::cli::interrupted_exit_code();
  } catch (const gemel::Error& error) {
    return report(error, OurBug);
  } catch (const std::bad_alloc&) {
    std::cerr << "error[E0904]: out of memory\nhint: choose a smaller network, batch or memory.size_bytes\n";
    return UserMistake;
  } catch (const std::exception& error) {
    std::cerr << "internal error: " << error.what() << "\nhint: this is a bug of Gemel; please keep the command that shows it\n";
    return OurBug;
  }
}
