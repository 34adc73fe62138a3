#include "mail/idn.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include <idn2.h>

#define LIBRARY "libidn2.so.0"

struct idn {
	__typeof__(idn2_lookup_u8) *lookup;
	__typeof__(idn2_strerror) *strerror;
	__typeof__(idn2_free) *free;
};

static int
load(struct idn *idn, struct err *e)
{
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_NODELETE);

	if (library == NULL)
		return err_temp(e, "names beyond ASCII need " LIBRARY ": %s",
		    dlerror());
	*(void **)&idn->lookup = dlsym(library, "idn2_lookup_u8");
	*(void **)&idn->strerror = dlsym(library, "idn2_strerror");
	*(void **)&idn->free = dlsym(library, "idn2_free");
	dlclose(library); /* it stays: RTLD_NODELETE */
	if (idn->lookup == NULL || idn->strerror == NULL || idn->free == NULL)
		return err_temp(e, LIBRARY " is of no use");
	return 0;
}

int
idn_to_ascii(const char *name, char *out, size_t size, struct err *e)
{
	uint8_t *ascii = NULL;
	struct idn idn = { NULL, NULL, NULL };
	int status, rc = 0;

	if (load(&idn, e) == -1)
		return -1;
	status =
	    idn.lookup((const uint8_t *)name, &ascii, IDN2_NONTRANSITIONAL);
	if (status == IDN2_MALLOC)
		return err_temp(e, "not enough memory");
	if (status != IDN2_OK)
		return err_data(e, "not a host name: %s", idn.strerror(status));
	if (strlen((const char *)ascii) < size)
		strcpy(out, (const char *)ascii);
	else
		rc = err_data(e, "not a host name: too long");
	idn.free(ascii);
	return rc;
}
