/* step-ca-db.h - the commands below `step-ca db` but for import. */
#pragma once
#include "cli/cli.h"

extern const struct command cmd_db_check, cmd_db_backup, cmd_db_restore, cmd_db_export;
