/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is on a disk that may be our stick, and what is missing there to a data partition. Only
 * looks: nothing is written here.
 *
 * The stick is known by the ids of rescue/layout, which libblkid reads from the GPT (from its
 * backup if the first one is torn). The data partition begins at a fixed sector, behind any image
 * of ours: so a volume that an older release made is found there again after a newer image was
 * written over the table, and gets its entry back.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DATA_SECTOR = 512,
	DATA_START = 2097152, /* sector where the data partition begins: 1 GiB, rescue/layout */
	DATA_ALIGN = 2048,    /* its size is a multiple of so many sectors */
	DATA_SECTORS_MIN = 2097152, /* smaller ones (1 GiB) hold no firmware: none is made */
	DATA_TABLE_SECTORS = 34,    /* of a GPT at the disk's begin; one less at its end */
	DATA_FOUND_BYTES = 64,
};

/* The name of the partition and the label of its file system. */
extern const char data_name_of_ours[];

/* Words of the protocol; partition_state_name() gives them, "no-room". */
enum partition_state {
	PARTITION_MADE,          /* just now */
	PARTITION_ADOPTED,       /* it was there */
	PARTITION_FOREIGN,       /* something on the stick is not ours */
	PARTITION_NO_ROOM,       /* the stick is too small */
	PARTITION_NOT_OUR_STICK, /* not started from a stick, or it is gone */
	PARTITION_NO_GPT,        /* started from a CD, or from files that were copied */
	PARTITION_SEVERAL,       /* two sticks are ours, nobody can tell which one was started */
	PARTITION_FORBIDDEN,     /* the person does not want one */
	PARTITION_PROTECTED,     /* the stick takes no writes */
	PARTITION_FAILED,
	PARTITION_STATE_MAX,
};
const char *partition_state_name(enum partition_state state);

struct data_judgement {
	/* MADE: what follows is to be done; ADOPTED: the same, or nothing if all is false;
	 * FOREIGN, NO_ROOM: nothing may be done */
	enum partition_state state;
	bool make_volume;        /* the room is empty: a file system is to be made */
	bool add_entry;          /* the table lacks its entry */
	bool mend_table;         /* the table's first copy is torn, libblkid has read the backup */
	uint64_t start, sectors; /* of the data partition */
	char found[DATA_FOUND_BYTES]; /* FOREIGN: what is there ("ext4", a partition's name) */
};

/* True if the disk carries our table's id. */
bool data_table_is_ours(int fd);

/* Judges a disk of so many sectors that data_table_is_ours(). 0, or a negative errno if it cannot
 * be read. */
int data_table_judge(int fd, uint64_t disk_sectors, struct data_judgement *ret);

/* What lies in these sectors: 1 an exFAT volume of ours (its sectors in *ret_volume, not more than
 * there are), 0 nothing, -EEXIST something else (`found` says what), or another negative errno. */
int data_volume_look(int fd, uint64_t start, uint64_t sectors, uint64_t *ret_volume,
		     char found[static DATA_FOUND_BYTES]);
