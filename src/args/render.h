/* render.h - the command table as help text, man page, completion script and JSON. */
#pragma once
#include "args/command.h"

/* Sections and layout of spec/client.md §1.12, wrapped at 80 columns, no escapes. */
void render_help(const struct command_set *set, const struct command *c, struct buf *out);
/* mdoc/man source of one command, or of the whole program ("" path). date: "2026-11-23". */
int man_section(const struct command_set *set);
void render_man(const struct command_set *set, const struct command *c, const char *date, struct buf *out);

enum render_shell { RENDER_BASH, RENDER_ZSH, RENDER_FISH };
void render_completion(const struct command_set *set, enum render_shell shell, struct buf *out);
/* The whole table, for tools and tests. */
void render_json(const struct command_set *set, struct buf *out);
