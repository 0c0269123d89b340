/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/console_text.h"
#include "facts/facts.h"

const char *console_text(const char *id)
{
	const struct message *message = message_find(id);

	return message ? message->text : id;
}
