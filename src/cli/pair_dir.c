#include "cli/pair_dir.h"

#include "os/auto.h"
#include "os/versions.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

void pair_dir_done(struct pair_dir *p)
{
	for (size_t i = 0; i < p->n; i++)
		buf_done(&p->names[i]);
	p->n = 0;
}

enum status pair_dir_name(struct pair_dir *p, const char **name, struct error *e)
{
	if (!opt_is_set(p->dir) || !*name || !**name || strchr(*name, '/'))
		return ST_OK;
	if (p->n == PAIR_DIR_NAMES)
		return error_set(e, ST_BUG, "more than %d files", PAIR_DIR_NAMES);
	struct buf *path = &p->names[p->n++];
	*path = BUF_INIT(PATH_MAX);
	buf_addf(path, "%s/current/%s", p->dir, *name);
	*name = buf_cstr(path);
	return buf_check(path, e);
}

/* Files that look as if they lay in a version, and would be replaced one by one: current -> /abs/versions/000001,
 * versions/000001/, a file that is a link. */
static enum status check_versioned(const char *dir, const char *path, const struct stat *current, struct error *e)
{
	AUTO(place_done) struct place file = PLACE_NONE;
	char real[PATH_MAX];
	if (place_find(path, PLACE_FOLLOW, &file, e))
		return e->status;
	if (file.folder.st_dev == current->st_dev && file.folder.st_ino == current->st_ino &&
	    versions_lead(&file, real))
		return ST_OK;
	return error_set(e, ST_CONFLICT,
	                 "%s would not change with the others, as %s is no versioned directory: it takes a link "
	                 "%s/current that says versions/ and a number (versions/000001) and nothing else, and no "
	                 "links below %s/versions",
	                 path, dir, dir, dir);
}

enum status pair_dir_check(const struct pair_dir *p, const char *path, struct error *e)
{
	AUTO(buf_done) struct buf current = BUF_INIT(PATH_MAX), folder = BUF_INIT(PATH_MAX);
	struct stat want, have;
	const char *slash = strrchr(path, '/');
	if (!opt_is_set(p->dir))
		return ST_OK;
	buf_addf(&current, "%s/current", p->dir);
	buf_add(&folder, slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1);
	if (buf_check(&current, e) || buf_check(&folder, e))
		return e->status;
	if (stat(buf_cstr(&current), &want)) {
		error_os(e, errno, "open %s failed", buf_cstr(&current));
		return e->status = ST_MISSING;
	}
	if (stat(buf_cstr(&folder), &have) || have.st_dev != want.st_dev || have.st_ino != want.st_ino)
		return error_set(e, ST_INVALID, "%s is not in the versioned directory %s: name it %s/%s", path, p->dir,
		                 buf_cstr(&current), slash ? slash + 1 : path);
	return check_versioned(p->dir, path, &want, e);
}
