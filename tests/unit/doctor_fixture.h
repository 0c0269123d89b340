/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Phones, firmware and folders for tests of the doctor. */
#include "base/cleanup.h"
#include "doctor/job.h"
#include "doctor/plan.h"
#include "sightings.h"
#include "unit.h"
#include <ftw.h>
#include <stdio.h>
#include <string.h>

static inline struct phone doctor_phone(enum mode mode)
{
	struct phone phone = {
		.id = 1,
		.presence = PRESENCE_PRESENT,
		.mode = mode,
		.sighting = sighting_make("1-2", 7, PID_NORMAL, NORMAL_A),
		.on_bus = true,
		.in_mux = mode == MODE_NORMAL,
		.asked = true,
		.enumerations = 1,
	};

	phone.identity.ecid = ECID_A;
	phone.identity.model = model_by_product("iPhone14,5");
	strcpy(phone.identity.udid, UDID_A);
	strcpy(phone.identity.product, "iPhone14,5");
	strcpy(phone.identity.name, "Anna");
	strcpy(phone.identity.serial_number, "F4HVWWZGJC67");
	strcpy(phone.identity.version, "17.5");
	return phone;
}

static inline struct firmware doctor_firmware(void)
{
	struct firmware firmware = {
		.product = "iPhone14,5",
		.version = "17.5.1",
		.build = "21F90",
		.name = "iPhone14,5_17.5.1_21F90_Restore.ipsw",
		.url = "https://updates.cdn-apple.com/iPhone14,5_17.5.1_21F90_Restore.ipsw",
		.size = 6000000000,
		.sha1 = "0123456789abcdef0123456789abcdef01234567",
	};

	return firmware;
}

static const struct variant doctor_update = { "Customer Upgrade Install (IPSW)", false,
					      UINT64_C(7000000000), true };
static const struct variant doctor_erase = { "Customer Erase Install (IPSW)", true,
					     UINT64_C(7000000000), true };
static const struct room doctor_room = {
	.folder = "/data",
	.lasting = true,
	.free_bytes = UINT64_C(64) << 30,
	.ram_free_bytes = UINT64_C(4) << 30,
};

static const struct signing doctor_signed = {
	.verdict = SIGN_SIGNED,
	.at_ms = 1795334400000,
	.manifest_sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
};

/* A plan of the whole chain, that must succeed. */
static inline struct plan doctor_plan(enum goal goal, enum mode mode)
{
	struct phone phone = doctor_phone(mode);
	struct firmware firmware = doctor_firmware();
	struct plan_request request = {
		.goal = goal,
		.phone = &phone,
		.firmware = &firmware,
		.update = &doctor_update,
		.erase = &doctor_erase,
		.signing = &doctor_signed,
		.room = &doctor_room,
	};
	struct plan plan;
	struct error err = { 0 };

	if (plan_make(&request, &plan, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

/* A folder of its own, and everything in it gone again. */
static inline char *doctor_folder(char *path)
{
	strcpy(path, "/tmp/idr-doctor-XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static inline int doctor_remove_one(const char *path, const struct stat *st, int flag,
				    struct FTW *ftw)
{
	return remove(path);
}

static inline void doctor_remove(const char *path)
{
	assert_int_equal(nftw(path, doctor_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline char *doctor_job_text(const struct job *job)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	char *text = NULL;

	assert_int_equal(job_to_json(job, NULL, &object), 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	return text;
}
