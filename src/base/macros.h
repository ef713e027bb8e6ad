/* macros.h - the few language helpers every floor uses. */
#pragma once

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Runs fn(&variable) when the variable leaves its scope. The variable is always initialised. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Moves a pointer out of a variable, which is NULL afterwards: the one line where ownership leaves. */
#define TAKE(p)                            \
	({                                 \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                \
		taken_;                    \
	})

/* Makes fn_p(type *p) out of fn(type p), for AUTO. Once per type, beside its only user. */
#define DEFINE_AUTO(type, fn)                     \
	static inline void fn##_p(type *p)        \
	{                                         \
		if (*p)                           \
			fn(*p);                   \
	}                                         \
	struct auto_semicolon_
