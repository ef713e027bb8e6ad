/* faultvfs.h - a disk for SQLite that fails when told, and that forgets at a power cut what was not synced. Put in
 * front of the real one for every database that is opened afterwards. Thread-safe. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

void faultvfs_install(void);

enum {
	FAULT_WRITE = 1 << 0,
	FAULT_SYNC = 1 << 1,
	FAULT_TRUNCATE = 1 << 2,
	FAULT_ANY = FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE,
};
enum fault {
	FAULT_EIO,
	FAULT_FULL,  /* as the unix VFS tells ENOSPC */
	FAULT_SHORT, /* half of the bytes arrive, then the disk is full */
	FAULT_CUT,   /* the power goes: this and everything after it fails */
};

/* The n-th call (from 1) of these kinds fails, and, where `times` > 1, that many in all; calls after it work again.
 * A sync that failed leaves its writes in the kernel's cache, marked clean: a later sync does not save them. */
void faultvfs_arm(unsigned kinds, unsigned n, unsigned times, enum fault how);
/* How often it struck. */
unsigned faultvfs_disarm(void);

/* From now on, remember what is not synced yet. */
void faultvfs_record(void);
/* Ends recording. Every file becomes what the disk may hold after the power came back: what was synced, and of the rest
 * any part, as the seed draws it. All databases must be closed. */
void faultvfs_power_back(uint64_t *seed);
