/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model.h"

#include <string.h>

static const struct model models[] = {
	/* product, board, kind, name, pid, cpid, bdid, cprv, srtg, seen, version, build, iboot */
	{ "iPhone7,2", "n61ap", "iPhone", "iPhone 6", 0x12a8, 0x7000, 0x06, 0x11,
	  "iBoot-1992.0.0.1.19", true, "12.5.7", "16H81", "iBoot-4513.280.6" },
	{ "iPhone8,1", "n71map", "iPhone", "iPhone 6s", 0x12a8, 0x8003, 0x04, 0x01,
	  "iBoot-2234.0.0.2.22", true, "15.8.3", "19H386", "iBoot-7429.140.4" },
	{ "iPhone9,1", "d10ap", "iPhone", "iPhone 7 (Global)", 0x12a8, 0x8010, 0x08, 0x11,
	  "iBoot-2696.0.0.1.33", true, "15.8.3", "19H386", "iBoot-7429.140.4" },
	{ "iPhone10,6", "d221ap", "iPhone", "iPhone X (GSM)", 0x12a8, 0x8015, 0x0e, 0x11,
	  "iBoot-3332.0.0.1.23", true, "16.7.10", "20H350", "iBoot-8422.200.1" },
	{ "iPhone11,8", "n841ap", "iPhone", "iPhone XR", 0x12a8, 0x8020, 0x0c, 0x11,
	  "iBoot-3865.0.0.4.7", true, "17.6.1", "21G93", "iBoot-10151.142.1" },
	{ "iPhone14,5", "d17ap", "iPhone", "iPhone 13", 0x12a8, 0x8110, 0x0a, 0x11,
	  "iBoot-6338.0.0.200.19", true, "17.6.1", "21G93", "iBoot-10151.142.1" },
	{ "iPhone15,2", "d73ap", "iPhone", "iPhone 14 Pro", 0x12a8, 0x8120, 0x0c, 0x11,
	  "iBoot-7195.0.0.300.25", true, "17.6.1", "21G93", "iBoot-10151.142.1" },
	{ "iPhone17,3", "d47ap", "iPhone", "iPhone 16", 0x12a8, 0x8140, 0x08, 0x11,
	  "iBoot-9865.0.0.200.8", false, "18.1", "22B83", "iBoot-11881.40.163" },
	{ "iPhone18,3", "v57ap", "iPhone", "iPhone 17", 0x12a8, 0x8150, 0x08, 0x11,
	  "iBoot-11503.0.0.200.5", false, "26.0", "23A341", "iBoot-13822.1.2" },
	{ "iPad7,5", "j71bap", "iPad", "iPad (6th gen, WiFi)", 0x12ab, 0x8010, 0x18, 0x11,
	  "iBoot-2696.0.0.1.33", true, "17.6.1", "21G93", "iBoot-10151.142.1" },
	{ "iPad12,1", "j181ap", "iPad", "iPad (9th gen, WiFi)", 0x12ab, 0x8030, 0x18, 0x11,
	  "iBoot-4479.0.0.100.4", true, "17.6.1", "21G93", "iBoot-10151.142.1" },
	{ "iPad16,4", "j718ap", "iPad", "iPad Pro 11-inch (M4, Cellular)", 0x12ab, 0x8132, 0x0a,
	  0x11, "iBoot-8104.0.0.201.4", false, "17.6.1", "21G93", "iBoot-10151.142.1" },
	{ "iPod9,1", "n112ap", "iPod", "iPod Touch (7th gen)", 0x12aa, 0x8010, 0x16, 0x11,
	  "iBoot-2696.0.0.1.33", true, "15.8.3", "19H386", "iBoot-7429.140.4" },
};

const struct model *models_all(unsigned *ret_count)
{
	*ret_count = sizeof(models) / sizeof(models[0]);
	return models;
}

const struct model *model_find(const char *product)
{
	for (unsigned i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(models[i].product, product))
			return &models[i];
	return nullptr;
}

bool model_has_short_udid(const struct model *m)
{
	return m->cpid >= 0x8020;
}

unsigned model_nonce_bytes(const struct model *m)
{
	return m->cpid >= 0x8010 ? 32 : 20;
}

bool model_has_sdom(const struct model *m, bool in_rom)
{
	return in_rom ? m->cpid >= 0x8101 : m->cpid >= 0x8010;
}

bool model_has_sika(const struct model *m)
{
	return m->cpid >= 0x8120;
}

uint8_t model_ibfl(const struct model *m, bool in_rom)
{
	uint8_t rom = m->cpid >= 0x8010 ? 0x3c : 0x1c;

	return in_rom ? rom : rom | 0x01;
}
