/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The handler needs no global: it finds its line at the lower end of its own stack.
 *
 *   stack ─▶ ┌ struct foot: the line │ … free … ◀── frames of the handler ┐
 */
#include "worker/ceiling.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STACK_BYTES = 64 * 1024 };
/* Below the unit's MemoryMax, so that malloc() fails before the kernel kills. */
static const rlim_t data_bytes_max = 48ULL << 20;

struct foot {
	size_t bytes;
	char line[CEILING_LINE_BYTES];
};

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
enum { CRASHES = sizeof(crashes) / sizeof(crashes[0]) };

/* Only what a handler may call. */
static void on_crash(int number)
{
	static const char word[] = "A library broke on foreign bytes\n";
	const struct foot *foot;
	stack_t stack;

	(void)!write(STDERR_FILENO, word, sizeof(word) - 1);
	if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp) {
		foot = stack.ss_sp;
		(void)!write(STDOUT_FILENO, foot->line, foot->bytes);
	}
	_exit(1);
}

/* The soft limit alone: it can be lifted again, and is for a program that we start. */
static int memory_bound(rlim_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) < 0)
		return -errno;
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	return setrlimit(RLIMIT_DATA, &limit) < 0 ? -errno : 0;
}

void ceiling_line(struct ceiling *ceiling, const char *last_line)
{
	struct foot *foot = ceiling->stack;
	size_t n = strlen(last_line);

	if (!foot || n > sizeof(foot->line))
		return;
	foot->bytes = 0; /* between the two, no line is better than half of one */
	memcpy(foot->line, last_line, n);
	foot->bytes = n;
}

int ceiling_set(struct ceiling *ceiling, const char *last_line)
{
	return ceiling_set_bytes(ceiling, data_bytes_max, last_line);
}

int ceiling_set_bytes(struct ceiling *ceiling, size_t bytes, const char *last_line)
{
	struct sigaction action = { .sa_handler = on_crash,
				    .sa_flags = SA_ONSTACK | (int)SA_RESETHAND };
	stack_t stack = { .ss_size = STACK_BYTES };
	int r;

	*ceiling = (struct ceiling){};
	if (SANITIZED)
		return 0;
	stack.ss_sp =
	    mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return -errno;
	ceiling->stack = stack.ss_sp;
	ceiling_line(ceiling, last_line);
	r = sigaltstack(&stack, NULL) < 0 ? -errno : memory_bound(bytes);
	for (size_t i = 0; r == 0 && i < CRASHES; i++)
		if (sigaction(crashes[i], &action, NULL) < 0)
			r = -errno;
	if (r < 0)
		ceiling_lift(ceiling);
	return r;
}

void ceiling_lift(struct ceiling *ceiling)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	if (!ceiling->stack)
		return;
	for (size_t i = 0; i < CRASHES; i++)
		(void)signal(crashes[i], SIG_DFL);
	(void)memory_bound(RLIM_INFINITY);
	(void)sigaltstack(&none, NULL);
	(void)munmap(ceiling->stack, STACK_BYTES);
	ceiling->stack = NULL;
}
