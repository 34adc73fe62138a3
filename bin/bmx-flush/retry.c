#include "bmx-flush/retry.h"

int64_t
retry_wait_s(int64_t last_s, unsigned min_s, unsigned max_s, uint32_t chance)
{
	int64_t most, wait;

	if (last_s <= 0)
		most = (int64_t)min_s + min_s / 3;
	else if (last_s > (int64_t)max_s / 2)
		most = max_s;
	else
		most = 2 * last_s;
	if (most > (int64_t)max_s)
		most = max_s;
	wait = most - (int64_t)chance % (most / 4 + 1);
	return wait < (int64_t)min_s ? (int64_t)min_s : wait;
}

int64_t
retry_last_s(bool is_new, int64_t mtime_s, int64_t ctime_s)
{
	if (is_new || ctime_s < 0 || mtime_s <= ctime_s)
		return 0;
	return mtime_s - ctime_s;
}
