/* A transaction and the functions behind its arrows:
 *
 *   open ----> lock -----------> recover ------------> find, sweep, prepare ---> (opened)
 *              home_find         journal_load          target_find
 *              lock_take         judge each file       target_sweep
 *                                complete, drop        target_prepare
 *
 *   (opened) --stage--> (staged) --commit--+--> one file, renamed:  rename, fsync folder ----------------> (new)
 *                                          +--> else: reserve, write journal, put each, fsync folders,
 *                                                     drop journal -------------------------------------> (new)
 *
 * Killed before the journal has its name: old files, and the next open sweeps the temporary ones. Killed after:
 * recover. The journal holds all content itself, so recovering needs no temporary file of the dead run, may be killed
 * as well, and does the same the next time. */
#include "os/filetx.h"

#include "os/auto.h"
#include "os/file.h"
#include "os/journal.h"
#include "os/lock.h"
#include "os/target.h"
#include "os/versions.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

_Static_assert((int)FILETX_FILES == (int)JOURNAL_FILES && (int)FILETX_BYTES == (int)JOURNAL_BYTES, "");

enum { ROOM_NEW = 8192 };

/* Where lock, journal and the temporary files of in-place writes go. */
struct home {
	int dir;
	bool beside; /* the first file; else the state folder */
	bool versioned;
	uid_t owner; /* of the first file, or of its folder while there is none */
	struct target_owner temps;
	char lock[NAME_MAX + 1], journal[NAME_MAX + 1], bad[NAME_MAX + 1];
	char where[PATH_MAX]; /* of the folder, for messages */
};

struct targets {
	size_t n;
	struct target t[FILETX_FILES];
};

struct filetx {
	struct home home;
	struct lock lock;
	struct targets files;
	struct versions versions; /* with home.versioned */
	size_t keep;
	struct buf content[FILETX_FILES];
	bool staged[FILETX_FILES], must_be_new[FILETX_FILES], aside[FILETX_FILES];
	bool unsettled;
	char note[512];
};

static void targets_done(struct targets *ts)
{
	for (size_t i = 0; i < ts->n; i++)
		target_done(&ts->t[i]);
	ts->n = 0;
}

/* --- home --------------------------------------------------------------------------------------------------------- */

static void home_name(struct home *h, const struct place *first, bool beside)
{
	h->beside = beside;
	target_owner_init(&h->temps, first->path, "new");
	char stem[TARGET_TEMP];
	/* In the state folder pairs of many folders meet. */
	snprintf(stem, sizeof stem, ".%.*s%s%s", TARGET_NAME_KEPT, first->name, beside ? "" : ".",
	         beside ? "" : h->temps.id);
	snprintf(h->lock, sizeof h->lock, "%s.lock", stem);
	snprintf(h->journal, sizeof h->journal, "%s.journal", stem);
	snprintf(h->bad, sizeof h->bad, "%s.journal.bad", stem);
}

/* One lock for all that changes with the link. */
static enum status versioned_home(struct home *h, const char *dir, struct error *e)
{
	char link[PATH_MAX + 16];
	snprintf(link, sizeof link, "%s/current", dir);
	const struct place as = { .path = link, .name = strrchr(link, '/') + 1 };
	home_name(h, &as, true);
	h->versioned = true;
	snprintf(h->where, sizeof h->where, "%s/", dir);
	return place_folder(dir, &h->dir, e);
}

static enum status open_state_dir(struct home *h, const char *state_dir, struct error *e)
{
	enum status st = file_mkdirs(state_dir, 0700, e);
	if (!st)
		st = place_folder(state_dir, &h->dir, e);
	if (st)
		return error_wrap(e, "state folder (STATE_DIRECTORY, STEPPATH)");
	struct stat dir;
	if (fstat(h->dir, &dir))
		return error_os(e, errno, "state folder %s", state_dir);
	if (folder_is_shared(&dir))
		return error_set(
			e, ST_DENIED,
			"state folder %s is not used, because others may write in it; make it 0700 and your own",
			state_dir);
	snprintf(h->where, sizeof h->where, "%s", state_dir);
	return ST_OK;
}

static enum status home_find(struct home *h, const char *path, const char *state_dir, struct error *e)
{
	AUTO(target_done) struct target t = TARGET_NONE;
	enum status st = target_find(&t, path, PLACE_FOLLOW, 0, e);
	if (st)
		return st;
	struct place *first = &t.place;
	h->owner = first->exists ? first->st.st_uid : first->folder.st_uid;
	char dir[PATH_MAX];
	if (versions_lead(first, dir))
		return versioned_home(h, dir, e);
	home_name(h, first, folder_writable(first->dir));
	if (h->beside) {
		snprintf(h->where, sizeof h->where, "%.*s", (int)(first->name - first->path), first->path);
		h->dir = FD_TAKE(first->dir);
		return ST_OK;
	}
	if (state_dir)
		return open_state_dir(h, state_dir, e) ? error_wrap(e, "the folder of %s is not writable", path)
		                                       : ST_OK;
	return error_set(
		e, ST_IO,
		"open %s failed: permission denied; it takes the right to write in its folder, or a state folder (set "
		"STATE_DIRECTORY or STEPPATH)",
		path);
}

static bool has_journal(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

bool filetx_pending(const char *cert_path, const char *state_dir)
{
	struct error e = ERROR_INIT;
	AUTO(place_done) struct place first = PLACE_NONE;
	if (place_find(cert_path, PLACE_FOLLOW, &first, &e))
		return false;
	struct home h;
	char versioned[PATH_MAX];
	if (versions_lead(&first, versioned))
		return false;
	home_name(&h, &first, true);
	if (has_journal(first.dir, h.journal))
		return true;
	AUTO(fd_close_p) int dir = -1;
	if (!state_dir || place_folder(state_dir, &dir, &e))
		return false;
	home_name(&h, &first, false);
	return has_journal(dir, h.journal);
}

/* --- putting files in their place --------------------------------------------------------------------------------- */

/* *changed: from here on the old files do not all stand any more. */
static enum status put(struct target *t, struct slice content, bool *changed, struct error *e)
{
	if (t->way == TARGET_RENAME) {
		enum status st = target_rename(t, e);
		if (!st)
			*changed = true;
		if (!st || !target_falls_back(t, e->os))
			return st;
		st = target_reserve(t, content.n, e);
		if (st)
			return st;
	}
	*changed = true;
	return target_overwrite(t, content, e);
}

static enum status sync_folder(const struct target *t, struct error *e)
{
	if (folder_sync(t->place.dir))
		return error_os(e, errno, "fsync the folder of %s failed", t->place.given);
	return ST_OK;
}

static enum status sync_folders(const struct targets *ts, struct error *e)
{
	for (size_t i = 0; i < ts->n; i++) {
		const struct stat *now = &ts->t[i].place.folder, *last = i ? &ts->t[i - 1].place.folder : NULL;
		if (last && last->st_dev == now->st_dev && last->st_ino == now->st_ino)
			continue;
		enum status st = sync_folder(&ts->t[i], e);
		if (st)
			return st;
	}
	return ST_OK;
}

/* --- the journal's file ------------------------------------------------------------------------------------------- */

static enum status write_journal(const struct home *h, struct slice text, struct error *e)
{
	AUTO(target_done) struct target t = TARGET_NONE;
	/* Named by its path, so that it is swept as this transaction's if we are killed here. */
	t.place.given = t.place.name = h->journal;
	t.mode = 0600;
	t.place.dir = fcntl(h->dir, F_DUPFD_CLOEXEC, 0);
	if (t.place.dir < 0)
		return error_os(e, errno, "journal");
	enum status st = target_prepare(&t, &h->temps, e);
	if (!st)
		st = target_stage(&t, &h->temps, -1, text, e);
	if (!st)
		st = target_rename(&t, e);
	return st ? st : sync_folder(&t, e);
}

/* A journal that cannot be removed describes what is done already, which the next open will see. */
static void drop_journal(const struct home *h)
{
	if (unlinkat(h->dir, h->journal, 0) == 0) {
		int kept = folder_sync(h->dir);
		(void)kept;
	}
}

/* Who may tell us to write? Root, ourselves, and the certificate's owner for files of his own (check_right). */
static enum status check_author(const struct home *h, const struct stat *st, struct error *e)
{
	bool known = st->st_uid == 0 || st->st_uid == geteuid() || st->st_uid == h->owner;
	if (known && S_ISREG(st->st_mode) && st->st_nlink == 1 && !(st->st_mode & (S_IWGRP | S_IWOTH)))
		return ST_OK;
	return error_set(e, ST_DENIED,
	                 "the journal %s%s is not applied: %s (user %u, mode %04o); look at it, then remove it",
	                 h->where, h->journal, known ? "others may have written it" : "it belongs to another user",
	                 (unsigned)st->st_uid, (unsigned)st->st_mode & 07777);
}

static enum status read_journal(const struct home *h, struct buf *ret, uid_t *ret_author, bool *ret_found,
                                struct error *e)
{
	AUTO(fd_close_p) int fd = openat(h->dir, h->journal, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*ret_found = fd >= 0;
	if (fd < 0 && errno == ENOENT)
		return ST_OK;
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return error_os(e, errno,
		                "the journal %s%s of an interrupted run cannot be read (run once as its owner)",
		                h->where, h->journal);
	*ret_author = st.st_uid;
	enum status bad = check_author(h, &st, e);
	return bad ? bad : fd_read_all(fd, ret, h->journal, e);
}

/* Takes a journal out of the way that must not be applied, keeping it for a person to look at. */
static enum status put_aside(struct filetx *t, const char *why, struct error *e)
{
	const struct home *h = &t->home;
	if (renameat(h->dir, h->journal, h->dir, h->bad))
		return error_os(e, errno, "the journal %s%s is void, but cannot be renamed", h->where, h->journal);
	snprintf(t->note, sizeof t->note, "the journal of an interrupted run was not applied (%s); it is kept as %s%s",
	         why, h->where, h->bad);
	return ST_OK;
}

/* --- recovery ----------------------------------------------------------------------------------------------------- */

/* A journal of another user than root and us may only name what is that user's anyway. */
static enum status check_right(const struct home *h, const struct target *t, uid_t author, struct error *e)
{
	const struct place *p = &t->place;
	uid_t owner = p->exists ? p->st.st_uid : p->folder.st_uid;
	if (author == 0 || author == geteuid() || author == owner)
		return ST_OK;
	return error_set(e, ST_DENIED,
	                 "the journal %s%s is not applied: user %u wrote it, but %s belongs to user %u; remove it",
	                 h->where, h->journal, (unsigned)author, p->path, (unsigned)owner);
}

static enum status judge(const struct target *t, const struct journal_entry *j, enum journal_stand *ret,
                         struct error *e)
{
	AUTO(buf_done) struct buf now = BUF_SECRET(FILETX_BYTES);
	bool readable = false;
	if (t->place.exists) {
		enum status st = target_read(t, &now, &readable, e);
		if (st && st != ST_LIMIT)
			return st;
		if (st) {
			*ret = JOURNAL_IS_OTHER;
			return ST_OK;
		}
	}
	*ret = journal_judge(j, t->place.exists, readable, buf_slice(&now));
	return ST_OK;
}

struct redo {
	const struct journal *j;
	uid_t author;
	struct buf paths[FILETX_FILES];
	enum journal_stand stand[FILETX_FILES];
	struct targets files;
};

static void redo_done(struct redo *r)
{
	targets_done(&r->files);
	for (size_t i = 0; i < FILETX_FILES; i++)
		buf_done(&r->paths[i]);
}

static enum status redo_find(const struct home *h, struct redo *r, bool *ret_void, struct error *e)
{
	for (size_t i = 0; i < r->j->n; i++) {
		const struct journal_entry *j = &r->j->entry[i];
		struct target *t = &r->files.t[i];
		*t = TARGET_NONE;
		r->paths[i] = BUF_INIT(PATH_MAX * 2);
		r->files.n = i + 1;
		buf_add_slice(&r->paths[i], j->path);
		enum status st = buf_check(&r->paths[i], e);
		/* The path was canonical when it was written: a link in it now is somebody's trap, or a move. */
		if (!st)
			st = target_find(t, buf_cstr(&r->paths[i]), PLACE_NO_LINKS, j->mode, e);
		if (!st)
			st = check_right(h, t, r->author, e);
		if (!st)
			st = judge(t, j, &r->stand[i], e);
		if (r->author == 0 || r->author == geteuid()) /* only we may give away what is ours */
			t->dress = j->dress;
		if (st)
			return error_wrap(e, "completing an interrupted run (to give it up, remove %s%s)", h->where,
			                  h->journal);
		*ret_void |= r->stand[i] == JOURNAL_IS_OTHER;
	}
	return ST_OK;
}

static enum status redo_put(const struct home *h, struct redo *r, struct error *e)
{
	enum status st = ST_OK;
	for (size_t i = 0; i < r->files.n && !st; i++) {
		struct target *t = &r->files.t[i];
		if (r->stand[i] == JOURNAL_IS_NEW)
			continue;
		st = target_prepare(t, &h->temps, e);
		if (!st)
			st = target_stage(t, &h->temps, -1, r->j->entry[i].new, e);
		if (!st)
			st = target_reserve(t, r->j->entry[i].new.n, e);
	}
	for (size_t i = 0; i < r->files.n && !st; i++) {
		bool changed;
		if (r->stand[i] != JOURNAL_IS_NEW)
			st = put(&r->files.t[i], r->j->entry[i].new, &changed, e);
		else
			target_redress(&r->files.t[i]); /* it may have died between content and mode */
	}
	return st ? st : sync_folders(&r->files, e);
}

/* What the dead run had staged goes before the journal does: without it the next run may have no reason to look. */
static void sweep_redone(const struct home *h, const struct redo *r)
{
	target_sweep(h->dir, &h->temps);
	for (size_t i = 0; i < r->files.n; i++)
		target_sweep(r->files.t[i].place.dir, &h->temps);
}

static enum status complete(struct filetx *t, const struct journal *j, uid_t author, bool *ret_done, struct error *e)
{
	AUTO(redo_done) struct redo r = { .j = j, .author = author };
	bool is_void = false;
	enum status st = redo_find(&t->home, &r, &is_void, e);
	if (st)
		return st;
	if (is_void)
		return put_aside(t, "a file was written by somebody else since", e);
	st = redo_put(&t->home, &r, e);
	if (st)
		return error_wrap(e, "completing an interrupted run");
	sweep_redone(&t->home, &r);
	*ret_done = true;
	return ST_OK;
}

static enum status recover(struct filetx *t, bool *ret_recovered, struct error *e)
{
	AUTO(buf_done) struct buf text = BUF_SECRET(JOURNAL_MAX);
	uid_t author;
	bool found, done = false;
	enum status st = read_journal(&t->home, &text, &author, &found, e);
	if (!st && !found)
		return ST_OK;
	struct journal j;
	if (!st)
		st = journal_parse(buf_slice(&text), &j, e);
	else if (st != ST_LIMIT)
		return st;
	if (st == ST_INVALID || st == ST_LIMIT)
		return put_aside(t, "it is damaged", e);
	if (st)
		return error_wrap(e, "%s%s", t->home.where, t->home.journal);
	st = complete(t, &j, author, &done, e);
	if (st || !done)
		return st;
	drop_journal(&t->home);
	*ret_recovered = true;
	return ST_OK;
}

/* --- open --------------------------------------------------------------------------------------------------------- */

static enum status exists_already(const char *path, struct error *e)
{
	error_os(e, EEXIST, "open %s failed", path);
	return e->status = ST_CONFLICT;
}

/* In the version that is current now that the lock is ours? */
static enum status find_in_version(struct filetx *t, size_t i, const struct filetx_file *f, struct error *e)
{
	struct target *new = &t->files.t[i];
	if (f->aside)
		return ST_OK;
	new->staging = t->versions.next;
	if (versions_hold(&t->versions, &new->place))
		return ST_OK;
	return error_set(e, ST_INVALID,
	                 "%s is not in the current version of %s, with which all files change at once: name it "
	                 "%s/current/%s",
	                 f->path, t->versions.path, t->versions.path, new->place.name);
}

static enum status find_one(struct filetx *t, size_t i, const struct filetx_file *f, struct error *e)
{
	struct target *new = &t->files.t[i];
	*new = TARGET_NONE;
	t->files.n = i + 1;
	t->content[i] = BUF_SECRET(FILETX_BYTES);
	t->must_be_new[i] = f->must_be_new;
	new->dress = f->dress;
	enum status st = target_find(new, f->path, PLACE_FOLLOW, f->mode, e);
	t->aside[i] = f->aside;
	if (!st && t->home.versioned)
		st = find_in_version(t, i, f, e);
	if (st)
		return st;
	if (new->place.exists && f->must_be_new)
		return exists_already(f->path, e);
	for (size_t k = 0; k < i; k++)
		if (place_same(&new->place, &t->files.t[k].place))
			return error_set(e, ST_INVALID, "%s and %s are the same file", t->files.t[k].place.given,
			                 f->path);
	return ST_OK;
}

static enum status prepare_all(struct filetx *t, const struct filetx_file *files, size_t n, struct error *e)
{
	if (t->home.versioned) {
		char dir[PATH_MAX];
		snprintf(dir, sizeof dir, "%.*s", (int)strlen(t->home.where) - 1, t->home.where);
		if (versions_open(dir, t->home.dir, &t->versions, e))
			return e->status;
	}
	for (size_t i = 0; i < n; i++) {
		enum status st = find_one(t, i, &files[i], e);
		if (st)
			return st;
	}
	target_sweep(t->home.dir, &t->home.temps);
	for (size_t i = 0; i < n; i++)
		if (t->files.t[i].staging < 0)
			target_sweep(t->files.t[i].place.dir, &t->home.temps);
	for (size_t i = 0; i < n; i++) {
		enum status st = target_prepare(&t->files.t[i], &t->home.temps, e);
		if (st)
			return st;
		if (t->files.t[i].undressed && !t->note[0])
			snprintf(t->note, sizeof t->note,
			         "%s does not get the owner and group asked for: no right to give it away",
			         t->files.t[i].place.given);
	}
	return ST_OK;
}

/* Room for what will probably come: as much as there is, or a chain of three certificates. A journal holds old and new
 * of all files; its room is asked for together with the first file's, and is free again when that one is staged. */
static enum status claim_room(struct filetx *t, struct error *e)
{
	size_t room[FILETX_FILES], journal = 0;
	for (size_t i = 0; i < t->files.n; i++) {
		const struct place *p = &t->files.t[i].place;
		room[i] = ROOM_NEW;
		if (p->exists && p->st.st_size > ROOM_NEW)
			room[i] = p->st.st_size < FILETX_BYTES ? (size_t)p->st.st_size : FILETX_BYTES;
		journal += 2 * room[i];
	}
	if (t->files.n > 1 && !t->home.versioned)
		room[0] += journal;
	enum status st = ST_OK;
	for (size_t i = 0; i < t->files.n && !st; i++)
		st = target_claim(&t->files.t[i], room[i], e);
	return st;
}

enum status filetx_open(const struct filetx_file *files, size_t n, const char *state_dir, bool wait,
                        struct filetx **ret, bool *ret_recovered, struct error *e)
{
	if (n < 1 || n > FILETX_FILES)
		return error_set(e, ST_BUG, "a transaction of %zu files", n);
	AUTO(filetx_close_p) struct filetx *t = calloc(1, sizeof *t);
	if (!t)
		return error_nomem(e);
	t->home.dir = -1;
	t->lock = LOCK_NONE;
	t->versions = VERSIONS_NONE;
	t->keep = VERSIONS_KEEP;
	bool recovered = false;
	enum status st = home_find(&t->home, files[0].path, state_dir, e);
	if (!st)
		st = lock_take(t->home.dir, t->home.lock, files[0].path, t->home.owner, wait, &t->lock, e);
	if (!st)
		st = recover(t, &recovered, e);
	if (!st)
		st = prepare_all(t, files, n, e);
	if (!st)
		st = claim_room(t, e);
	if (st)
		return st;
	*ret = TAKE(t);
	*ret_recovered = recovered;
	return ST_OK;
}

bool filetx_unsettled(const struct filetx *t)
{
	return t->unsettled;
}

const char *filetx_note(const struct filetx *t)
{
	return t->note[0] ? t->note : NULL;
}

void filetx_close(struct filetx *t)
{
	if (!t)
		return;
	targets_done(&t->files);
	versions_close(&t->versions);
	for (size_t i = 0; i < FILETX_FILES; i++)
		buf_done(&t->content[i]);
	lock_drop(&t->lock);
	fd_close_p(&t->home.dir);
	free(t);
}

/* --- stage and commit --------------------------------------------------------------------------------------------- */

enum status filetx_stage(struct filetx *t, size_t index, struct slice content, struct error *e)
{
	if (index >= t->files.n)
		return error_set(e, ST_BUG, "the transaction has no file %zu", index);
	struct target *f = &t->files.t[index];
	struct buf *b = &t->content[index];
	t->staged[index] = false;
	buf_reset(b);
	buf_add_slice(b, content);
	enum status st = buf_check(b, e);
	if (st)
		return error_wrap(e, "%s", f->place.given);
	st = target_stage(f, &t->home.temps, t->home.dir, content, e);
	t->staged[index] = st == ST_OK;
	return st;
}

static enum status check_new(const struct filetx *t, size_t i, struct error *e)
{
	const struct place *p = &t->files.t[i].place;
	struct stat st;
	if (!t->must_be_new[i] || fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW))
		return ST_OK;
	return exists_already(p->given, e);
}

/* What the journal needs: the old content too, into `old`. */
static enum status describe(struct filetx *t, struct journal *j, struct buf old[FILETX_FILES], struct error *e)
{
	for (size_t i = 0; i < t->files.n; i++) {
		const struct target *f = &t->files.t[i];
		if (!t->staged[i])
			continue;
		struct journal_entry *entry = &j->entry[j->n++];
		*entry = (struct journal_entry){
			.path = slice_cstr(f->place.path), .mode = f->mode, .was = JOURNAL_ABSENT, .dress = f->dress
		};
		entry->new = buf_slice(&t->content[i]);
		if (!f->place.exists)
			continue;
		old[i] = BUF_SECRET(FILETX_BYTES);
		bool readable;
		enum status st = target_read(f, &old[i], &readable, e);
		if (st)
			return st;
		entry->was = readable ? JOURNAL_KNOWN : JOURNAL_UNKNOWN;
		entry->old = buf_slice(&old[i]);
	}
	return ST_OK;
}

static enum status keep_journal(struct filetx *t, struct error *e)
{
	struct buf old[FILETX_FILES] = { 0 };
	struct journal j = { 0 };
	AUTO(buf_done) struct buf text = BUF_SECRET(JOURNAL_MAX);
	enum status st = describe(t, &j, old, e);
	if (!st) {
		journal_format(&text, &j);
		st = buf_check(&text, e);
	}
	for (size_t i = 0; i < FILETX_FILES; i++)
		buf_done(&old[i]);
	if (!st)
		st = write_journal(&t->home, buf_slice(&text), e);
	if (st)
		drop_journal(&t->home);
	return st ? error_wrap(e, "journal") : ST_OK;
}

static enum status reserve_all(struct filetx *t, struct error *e)
{
	enum status st = ST_OK;
	for (size_t i = 0; i < t->files.n && !st; i++)
		if (t->staged[i])
			st = target_reserve(&t->files.t[i], t->content[i].n, e);
	return st;
}

static enum status commit_with_journal(struct filetx *t, struct error *e)
{
	bool changed = false;
	enum status st = reserve_all(t, e);
	if (!st)
		st = keep_journal(t, e);
	if (st)
		return st;
	for (size_t i = 0; i < t->files.n && !st; i++)
		if (t->staged[i])
			st = put(&t->files.t[i], buf_slice(&t->content[i]), &changed, e);
	if (!st)
		st = sync_folders(&t->files, e);
	if (!st || !changed)
		drop_journal(&t->home);
	t->unsettled = st && changed;
	if (st && changed)
		error_wrap(e, "the new files are kept in %s%s and the next run puts them in place", t->home.where,
		           t->home.journal);
	return st;
}

void filetx_keep(struct filetx *t, size_t versions)
{
	t->keep = versions;
}

/* What lies aside comes first: what it says of the new version is at worst premature, and behind the switch it could be
 * lost. */
static enum status put_aside_files(struct filetx *t, struct error *e)
{
	for (size_t i = 0; i < t->files.n; i++) {
		if (!t->aside[i] || !t->staged[i])
			continue;
		bool changed;
		struct target *f = &t->files.t[i];
		enum status st = put(f, buf_slice(&t->content[i]), &changed, e);
		if (!st)
			st = sync_folder(f, e);
		if (st)
			return st;
	}
	return ST_OK;
}

static enum status commit_version(struct filetx *t, size_t staged, struct error *e)
{
	enum status st = put_aside_files(t, e);
	size_t inside = 0;
	for (size_t i = 0; i < t->files.n; i++)
		inside += t->staged[i] && !t->aside[i];
	if (st || !staged || !inside)
		return st;
	for (size_t i = 0; i < t->files.n; i++) {
		if (t->aside[i])
			continue;
		versions_admit(&t->versions, &t->files.t[i].dress);
		if (t->staged[i])
			target_keep(&t->files.t[i]); /* goes where its folder goes */
		else
			target_drop(&t->files.t[i]);
	}
	st = versions_switch(&t->versions, t->keep, e);
	t->unsettled = st && t->versions.switched;
	return st;
}

enum status filetx_commit(struct filetx *t, struct error *e)
{
	size_t staged = 0, only = 0;
	for (size_t i = 0; i < t->files.n; i++) {
		if (!t->staged[i])
			continue;
		enum status st = check_new(t, i, e);
		if (st)
			return st;
		staged++;
		only = i;
	}
	if (t->home.versioned)
		return commit_version(t, staged, e);
	if (staged == 0)
		return ST_OK;
	struct target *f = &t->files.t[only];
	if (staged == 1 && f->way == TARGET_RENAME) {
		enum status st = target_rename(f, e);
		if (!st) {
			st = sync_folder(f, e);
			t->unsettled = st != ST_OK;
			return st;
		}
		if (!target_falls_back(f, e->os))
			return st;
	}
	return commit_with_journal(t, e);
}
