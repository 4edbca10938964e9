/** What `nestjs-emissions --help` says. */
export const HELP = `Usage: nestjs-emissions <command> [ids] [options]

Looks at durable deliveries, and mends them, in the database itself: no application needs to run.

Commands
  migrate            makes the tables, or migrates them to what the installed pg-boss works
                     with; for applications with the option migrate: false
  status             how much each durable handler has to do, in all applications on the schema
  status <id>        what became of one emission at each of them
  failed             the dead deliveries, the latest first
  failed <id …>      these, with all their errors
  retry <id …>       lets dead deliveries run again, each before those of its key behind it
  discard <id …>     gives dead deliveries up; what waits behind them goes on

Ids are those of emissions.

Which database (the environment keeps passwords from the list of processes)
  --url <url>        postgres://user:password@host:port/name; else DATABASE_URL
  --embedded <dir>   the folder of an embedded one, that no process is using
  --schema <name>    emissions, unless the option schema says another
  --backend <kind>   postgres (default), cockroachdb, yugabytedb or citus

Which deliveries
  --handler <id>     of one handler or adapter          (status, failed, retry, discard)
  --tenant <name>    of one tenant                      (failed, retry, discard)
  --all              every one that is dead             (retry, discard)
  --limit <n>        how many at most, 100 by default   (failed)

  --json             as JSON, for programs
  -h, --help         this
  -v, --version      the version

Exit codes: 0 it is done; 1 it could not be, or not for every id; 2 the command line is wrong.`;
