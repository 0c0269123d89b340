/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the terminal between screen_new() and screen_free(): its modes, its alternate screen, and
 * the handlers of the signals that mistakes of ours raise.
 *
 * Ctrl-S, Ctrl-Z and Ctrl-C must not freeze or stop a console that nobody can log in beside, so the
 * terminal is in raw mode and they arrive as keys.
 */
#include "face/screen.h"
#include "base/cleanup.h"
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>

/* Serial lines and slow networks may tear a key's bytes apart by so many milliseconds. */
enum { ESCAPE_MS = 100 };

enum { CTRL_C = 3, ESCAPE = 27, DELETE = 127 };

struct screen {
	SCREEN *terminal; /* owned */
	enum screen_charset charset;
	bool color;
};

enum { PAIR_BAR = 1, PAIR_SELECTED, PAIR_WARN, PAIR_ALERT, PAIR_STRONG };

/* How a role looks. Monochrome must tell all of them apart that matter: never by colour alone. */
static const struct {
	chtype mono, color;
} looks[SCREEN_ROLE_MAX] = {
	[SCREEN_ROLE_TEXT] = { A_NORMAL, A_NORMAL },
	[SCREEN_ROLE_DIM] = { A_NORMAL, A_NORMAL },
	[SCREEN_ROLE_STRONG] = { A_BOLD, A_BOLD | COLOR_PAIR(PAIR_STRONG) },
	[SCREEN_ROLE_BAR] = { A_REVERSE, COLOR_PAIR(PAIR_BAR) },
	[SCREEN_ROLE_SELECTED] = { A_REVERSE, COLOR_PAIR(PAIR_SELECTED) },
	[SCREEN_ROLE_WARN] = { A_BOLD, A_BOLD | COLOR_PAIR(PAIR_WARN) },
	[SCREEN_ROLE_ALERT] = { A_BOLD | A_REVERSE, A_BOLD | COLOR_PAIR(PAIR_ALERT) },
};

static const int mistakes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

/*
 * Only calls that are safe in a signal handler, and nothing of ncurses, which may be what broke.
 * The sequences are those of every terminal that we know; others ignore them.
 */
static void mistake_handle(int number)
{
	static const char last_words[] =
	    "\033[0m\017\033[?1049l\033[?25h\r\n"
	    "idevicerescue: the console made a mistake and ended; phones were not touched\r\n";
	struct termios modes;

	if (tcgetattr(STDIN_FILENO, &modes) == 0) {
		modes.c_iflag |= ICRNL | IXON;
		modes.c_oflag |= OPOST | ONLCR;
		modes.c_lflag |= ISIG | ICANON | ECHO | ECHOE | IEXTEN;
		tcsetattr(STDIN_FILENO, TCSANOW, &modes);
	}
	if (write(STDOUT_FILENO, last_words, sizeof(last_words) - 1) < 0)
		_exit(128 + number);
	/* the handler was reset when it was entered: this ends the program as the signal would */
	raise(number);
}

/* Leaves handlers alone that somebody else has set (sanitizers). */
static void mistakes_catch(bool catch)
{
	struct sigaction ours = { .sa_handler = mistake_handle, .sa_flags = SA_RESETHAND };
	struct sigaction none = { .sa_handler = SIG_DFL }, old;

	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		if (sigaction(mistakes[i], NULL, &old) < 0)
			continue;
		if (catch && old.sa_handler == SIG_DFL)
			sigaction(mistakes[i], &ours, NULL);
		else if (!catch && old.sa_handler == mistake_handle)
			sigaction(mistakes[i], &none, NULL);
	}
}

static bool locale_is_unicode(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool is_empty(const char *text)
{
	return !text || *text == '\0';
}

/* What the environment says; where it says nothing (a unit of the system), UTF-8. */
static void locale_choose(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	bool silent = true;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		silent = silent && is_empty(getenv(names[i]));
	setlocale(LC_CTYPE, silent ? "C.UTF-8" : "");
}

static enum screen_charset charset_choose(const char *term)
{
	static const char *const plain[] = { "vt", "ansi", "dumb", "unknown" };

	if (!locale_is_unicode())
		return SCREEN_CHARSET_ASCII;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (strncmp(term, plain[i], strlen(plain[i])) == 0)
			return SCREEN_CHARSET_ASCII;
	return strncmp(term, "linux", strlen("linux")) == 0 ? SCREEN_CHARSET_CONSOLE
							    : SCREEN_CHARSET_UNICODE;
}

static bool colors_start(void)
{
	const char *refused = getenv("NO_COLOR");

	if ((refused && *refused) || !has_colors() || start_color() == ERR)
		return false;
	init_pair(PAIR_BAR, COLOR_WHITE, COLOR_BLUE);
	init_pair(PAIR_SELECTED, COLOR_BLACK, COLOR_CYAN);
	init_pair(PAIR_WARN, COLOR_YELLOW, COLOR_BLACK);
	init_pair(PAIR_ALERT, COLOR_WHITE, COLOR_RED);
	init_pair(PAIR_STRONG, COLOR_CYAN, COLOR_BLACK);
	return true;
}

/*
 * Keys as nearly every terminal sends them, whatever type it was said to be: a vt102 has no Page
 * Up, but the emulator that calls itself one has. Arrows come in two forms.
 */
static void keys_define(void)
{
	static const struct {
		const char *bytes;
		int key;
	} keys[] = {
		{ "\033[A", KEY_UP },     { "\033[B", KEY_DOWN },  { "\033[C", KEY_RIGHT },
		{ "\033[D", KEY_LEFT },   { "\033OA", KEY_UP },    { "\033OB", KEY_DOWN },
		{ "\033OC", KEY_RIGHT },  { "\033OD", KEY_LEFT },  { "\033[5~", KEY_PPAGE },
		{ "\033[6~", KEY_NPAGE }, { "\033[1~", KEY_HOME }, { "\033[4~", KEY_END },
		{ "\033[H", KEY_HOME },   { "\033[F", KEY_END },   { "\033OH", KEY_HOME },
		{ "\033OF", KEY_END },    { "\033OM", KEY_ENTER },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		define_key(keys[i].bytes, keys[i].key);
}

static void terminal_set_modes(void)
{
	raw();
	noecho();
	nonl();
	set_escdelay(ESCAPE_MS);
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	keys_define();
	meta(stdscr, TRUE);
	curs_set(0);
}

int screen_new(struct screen **ret, struct error *err)
{
	const char *term = getenv("TERM");
	_cleanup_free_ struct screen *screen = NULL;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(err, ERROR_UNSUPPORTED, "console", 0,
				 "the console needs a terminal; without one use list or watch");
	screen = calloc(1, sizeof(*screen));
	if (!screen)
		return -ENOMEM;
	locale_choose();
	screen->terminal = newterm(NULL, stdout, stdin);
	if (screen->terminal && !cursor_address) {
		endwin();
		delscreen(screen->terminal);
		screen->terminal = NULL;
	}
	if (!screen->terminal)
		return error_set(err, ERROR_UNSUPPORTED, "ncurses", 0,
				 "terminal type '%s' is unknown or cannot move its cursor",
				 term ? term : "");
	screen->charset = charset_choose(term ? term : "");
	mistakes_catch(true);
	terminal_set_modes();
	screen->color = colors_start();
	*ret = TAKE(screen);
	return 0;
}

struct screen *screen_free(struct screen *screen)
{
	if (!screen)
		return NULL;
	endwin();
	mistakes_catch(false);
	delscreen(screen->terminal);
	free(screen);
	return NULL;
}

int screen_page(const struct screen *screen, struct screen_page **ret)
{
	return screen_page_new(LINES > 0 ? (unsigned)LINES : 1, COLS > 0 ? (unsigned)COLS : 1,
			       screen->charset, ret);
}

static chtype role_look(const struct screen *screen, enum screen_role role)
{
	return screen->color ? looks[role].color : looks[role].mono;
}

static void row_show(const struct screen *screen, const struct screen_page *page, unsigned row)
{
	size_t count;
	enum screen_role fill;
	const struct screen_span *spans = screen_page_row(page, row, &count, &fill);

	attrset((int)role_look(screen, fill));
	mvhline((int)row, 0, ' ', (int)screen_page_columns(page));
	for (size_t i = 0; i < count; i++) {
		enum screen_role role = spans[i].role == SCREEN_ROLE_TEXT ? fill : spans[i].role;

		attrset((int)role_look(screen, role));
		mvaddstr((int)row, (int)spans[i].column, spans[i].text);
	}
}

void screen_show(struct screen *screen, const struct screen_page *page, bool all)
{
	for (unsigned row = 0; row < screen_page_rows(page); row++)
		row_show(screen, page, row);
	attrset(A_NORMAL);
	move(LINES - 1, 0);
	if (all)
		clearok(stdscr, TRUE);
	refresh();
}

/*
 * Esc was read. A key that this terminal type does not know begins with it too: its rest is taken
 * away, lest "Esc [ 1 7 ~" would go back and open phone 1.
 */
static enum screen_key escape_read(void)
{
	int c = getch();

	if (c == ERR)
		return SCREEN_KEY_BACK;
	if (c == '[' || c == 'O')
		do
			c = getch();
		while (c != ERR && (c < 0x40 || c > 0x7e));
	return SCREEN_KEY_OTHER;
}

static enum screen_key key_meaning(int c)
{
	switch (c) {
	case ERR:
		return SCREEN_KEY_NONE;
	case KEY_UP:
		return SCREEN_KEY_UP;
	case KEY_DOWN:
		return SCREEN_KEY_DOWN;
	case KEY_PPAGE:
		return SCREEN_KEY_PAGE_UP;
	case KEY_NPAGE:
	case ' ':
		return SCREEN_KEY_PAGE_DOWN;
	case KEY_HOME:
		return SCREEN_KEY_HOME;
	case KEY_END:
		return SCREEN_KEY_END;
	case '\r':
	case '\n':
	case KEY_ENTER:
		return SCREEN_KEY_ENTER;
	case KEY_RIGHT:
		return SCREEN_KEY_RIGHT;
	case ESCAPE:
		return escape_read();
	case KEY_LEFT:
		return SCREEN_KEY_BACK;
	case '\b':
	case DELETE:
	case KEY_BACKSPACE:
		return SCREEN_KEY_ERASE;
	case 'q':
	case 'Q':
	case CTRL_C:
		return SCREEN_KEY_QUIT;
	default:
		return c > ' ' && c < DELETE ? SCREEN_KEY_CHARACTER : SCREEN_KEY_OTHER;
	}
}

struct screen_input screen_read(struct screen *screen)
{
	int c = getch();
	struct screen_input input = { .key = SCREEN_KEY_DIGIT };

	if (c >= '0' && c <= '9')
		input.digit = (unsigned)(c - '0');
	else
		input.key = key_meaning(c);
	if (c > ' ' && c < DELETE)
		input.character = (char)c;
	return input;
}

void screen_resize(struct screen *screen)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
		resizeterm(size.ws_row, size.ws_col);
	clearok(stdscr, TRUE);
}
