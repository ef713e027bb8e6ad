/* memory.h - a process that will sleep for long gives back what it can do without. */
#pragma once

/* Returns free heap to the kernel and drops our mapping of program text and constants, of this program and its
 * libraries. Those pages stay in the page cache and come back by themselves when they are touched (some hundred minor
 * faults for a renewal). Nothing that was written is touched. */
void memory_rest(void);
