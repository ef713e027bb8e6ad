#include "cli/ca_offline.h"

#include "cli/certfile.h"

#include "os/auto.h"
#include "os/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void ca_offline_done(struct ca_offline *o)
{
	struct error ignored;
	struct process_end end;
	if (o->child.pid) { /* it closes its store in order */
		process_kill(&o->child, SIGTERM);
		if (process_wait(&o->child, &end, &ignored))
			process_done(&o->child);
	}
	if (o->socket.n)
		unlink(buf_cstr(&o->socket));
	if (o->dir.n)
		rmdir(buf_cstr(&o->dir));
	buf_done(&o->dir);
	buf_done(&o->socket);
}

/* A socket in a folder that nobody else may enter. */
static enum status listen_there(struct ca_offline *o, int *ret, struct error *e)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *tmp = getenv("TMPDIR");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	AUTO(buf_done) struct buf dir = BUF_INIT(4096);
	buf_addf(&dir, "%s/step-offline.XXXXXX", opt_is_set(runtime) ? runtime : opt_is_set(tmp) ? tmp : "/tmp");
	if (buf_check(&dir, e))
		return e->status;
	if (!mkdtemp((char *)dir.p))
		return error_os(e, errno, "%s", buf_cstr(&dir));
	buf_add_slice(&o->dir, buf_slice(&dir));
	buf_addf(&o->socket, "%s/ca", buf_cstr(&dir));
	if (buf_check(&o->dir, e) || buf_check(&o->socket, e))
		return e->status;
	if (o->socket.n >= sizeof a.sun_path)
		return error_set(e, ST_INVALID, "%s: too long for a socket; set %s to a shorter folder",
		                 buf_cstr(&o->socket), opt_is_set(runtime) ? "XDG_RUNTIME_DIR" : "TMPDIR");
	memcpy(a.sun_path, o->socket.p, o->socket.n);
	AUTO(fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 8))
		return error_os(e, errno, "%s", buf_cstr(&o->socket));
	*ret = FD_TAKE(fd);
	return ST_OK;
}

/* The step-ca beside this program, else the one in PATH. */
static enum status find_program(struct buf *ret, struct error *e)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n > 0 ? n : 0] = '\0';
	const char *slash = strrchr(self, '/');
	if (slash)
		buf_addf(ret, "%.*s/step-ca", (int)(slash - self), self);
	if (!ret->n || access(buf_cstr(ret), X_OK)) {
		buf_reset(ret);
		buf_adds(ret, "step-ca");
	}
	return buf_check(ret, e);
}

static enum status spawn(const char *config, const char *password_file, int fd, struct process *ret, struct error *e)
{
	AUTO(buf_done) struct buf program = BUF_INIT(8192);
	if (find_program(&program, e))
		return e->status;
	const char *argv[] = { buf_cstr(&program), config, "--on-socket", password_file ? "--password-file" : NULL,
		               password_file,      NULL };
	struct process_spec spec = { .argv = argv, .in = -1, .out = STDERR_FILENO, .err = STDERR_FILENO, .fd3 = fd };
	if (process_spawn(&spec, ret, e))
		return error_wrap(e, "flag '--offline' needs step-ca, beside step or in PATH");
	return ST_OK;
}

static enum status read_config(const char *path, struct ca *c, struct error *e)
{
	AUTO(offline_done) struct offline conf = { 0 };
	if (offline_load(path, &conf, e))
		return e->status;
	if (!conf.root)
		return error_set(e, ST_INVALID, "%s: root: missing", path);
	AUTO(buf_done) struct buf url = BUF_INIT(4096);
	buf_addf(&url, "https://%s", buf_cstr(&conf.host));
	if (buf_check(&url, e) || cert_roots_read(conf.root, &c->roots, e))
		return e->status;
	c->url = buf_take(&url);
	return c->url ? ST_OK : error_nomem(e);
}

enum { START_MS = 120000 }; /* somebody may be typing a password */

static enum status wait_ready(struct ca_offline *o, struct ca *c, struct error *e)
{
	struct error ignored;
	struct process_end end;
	bool ended = false;
	int64_t usual = c->timeout_ms;
	c->timeout_ms = START_MS;
	enum status st = ca_health(c, e);
	c->timeout_ms = usual;
	if (!st)
		return ST_OK;
	process_kill(&o->child, SIGTERM);
	if (!process_wait(&o->child, &end, &ignored))
		ended = !end.signal && end.status;
	/* It has told why itself. */
	return ended ? error_set(e, st, "step-ca, which '--offline' needs, did not start") : error_wrap(e, "step-ca");
}

enum status ca_offline_start(struct invocation *inv, const struct token_flags *f, struct ca_offline *ret, struct ca *c,
                             struct error *e)
{
	AUTO(buf_done) struct buf config = BUF_INIT(1 << 16);
	AUTO(fd_close_p) int fd = -1;
	if (opt_is_set(f->ca_config))
		buf_adds(&config, f->ca_config);
	else if (inv_file(inv, "config/ca.json", &config, e))
		return e->status;
	if (buf_check(&config, e) || read_config(buf_cstr(&config), c, e))
		return e->status;
	if (ret->child.pid) {
		c->socket_path = buf_cstr(&ret->socket);
		return ST_OK;
	}
	if (listen_there(ret, &fd, e) ||
	    spawn(buf_cstr(&config), opt_is_set(f->password_file) ? f->password_file : NULL, fd, &ret->child, e))
		return e->status;
	c->socket_path = buf_cstr(&ret->socket);
	fd_close_p(&fd); /* it is the child's alone: when that ends, a call fails at once */
	fd = -1;
	return wait_ready(ret, c, e);
}

enum status ca_reach(struct invocation *inv, const struct ca_flags *f, const struct token_flags *t,
                     struct ca_offline *offline, struct ca *c, struct error *e)
{
	return t->offline ? ca_offline_start(inv, t, offline, c, e) : ca_open(inv, f, c, e);
}
