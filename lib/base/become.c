#include "base/become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <unistd.h>

/* Of getpwnam(3) that found nobody: there is nobody; else nobody could tell. */
static bool
is_answer(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH ||
	       error == EBADF || error == EPERM;
}

int
become_user(const char *user, struct err *e)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	if (user == NULL)
		return err_config(e,
		    "started as root: name a user in [bmx], or start it "
		    "as the spool's owner");
	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL && !is_answer(errno))
		return err_sys(e, "user: %s cannot be looked up", user);
	if (pw == NULL)
		return err_config(e, "user: there is no such user");
	if (pw->pw_uid == 0)
		return 0;
	if (setgroups(0, NULL) == -1 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == -1 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		return err_sys(e, "cannot become %s", user);
	if (setuid(0) == 0)
		return err_config(e, "still root after becoming %s", user);
	return 0;
}
