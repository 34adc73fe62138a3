#include "bmx-queue/tar.h"

#include <inttypes.h>
#include <string.h>

#define BLOCK 512
#define NAME_FIELD 100
#define SIZE_MAX_OCTAL 077777777777ULL /* eleven digits */

/* One block, IEEE Std 1003.1 pax, "ustar Interchange Format". */
struct header {
	char name[NAME_FIELD], mode[8], uid[8], gid[8], size[12], mtime[12];
	char checksum[8], type, linkname[100], magic[6], version[2];
	char uname[32], gname[32], devmajor[8], devminor[8], prefix[155];
	char unused[12];
};

/* Digits without a NUL where the field has no room for one. */
static void
put_octal(char *field, size_t size, uint64_t value)
{
	char digits[32];

	snprintf(digits, sizeof digits, "%0*" PRIo64, (int)size - 1, value);
	memcpy(field, digits, size);
}

static void
put_header(FILE *out, const char *name, char type, uint64_t size,
    int64_t mtime_s)
{
	struct header h;
	unsigned char bytes[sizeof h];
	unsigned sum = 0;

	_Static_assert(sizeof h == BLOCK, "a header is a block");
	memset(&h, 0, sizeof h);
	memcpy(h.name, name, strnlen(name, sizeof h.name));
	put_octal(h.mode, sizeof h.mode, 0600);
	put_octal(h.uid, sizeof h.uid, 0);
	put_octal(h.gid, sizeof h.gid, 0);
	put_octal(h.size, sizeof h.size, size);
	put_octal(h.mtime, sizeof h.mtime, mtime_s < 0 ? 0 : (uint64_t)mtime_s);
	h.type = type;
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	memset(h.checksum, ' ', sizeof h.checksum);
	memcpy(bytes, &h, sizeof h);
	for (size_t i = 0; i < sizeof h; i++)
		sum += bytes[i];
	put_octal(h.checksum, 7, sum);
	fwrite(&h, 1, sizeof h, out);
}

/* "LENGTH path=PATH\n": the length counts its own digits. */
static void
put_long_name(FILE *out, const char *path)
{
	size_t rest = strlen(" path=\n") + strlen(path);
	size_t len = rest + (rest > 97 ? 3 : 2);

	put_header(out, "pax", 'x', len, 0);
	fprintf(out, "%zu path=%s\n", len, path);
	tar_pad(out, len);
}

int
tar_file(FILE *out, const char *path, uint64_t size, int64_t mtime_s,
    struct err *e)
{
	size_t len = strlen(path);

	if (size > SIZE_MAX_OCTAL || len > 900)
		return err_perm(e, "%.100s: too large for tar", path);
	if (len > NAME_FIELD)
		put_long_name(out, path);
	put_header(out, path, '0', size, mtime_s);
	return 0;
}

void
tar_pad(FILE *out, uint64_t size)
{
	static const char zeros[BLOCK];

	if (size % BLOCK != 0)
		fwrite(zeros, 1, BLOCK - (size_t)(size % BLOCK), out);
}

void
tar_end(FILE *out)
{
	static const char zeros[2 * BLOCK];

	fwrite(zeros, 1, sizeof zeros, out);
}
