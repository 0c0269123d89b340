/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "steps.h"

#include <string.h>

#define CHECKPOINT(id, text) .checkpoint = (id), .name = (text)
#define ASK(what)            .act = ACT_ASK, .asked = ASKED_##what
#define UPDATER(part)        ASK(UPDATER), .about = (part)

#define CRYPTEX(file)                                                                              \
	ASK(SOURCE_OBJECT), .about = (file), .needs = (file), .status = 100, .port_ios = 18

static const struct step steps[] = {
	/* before anything is written */
	{ CHECKPOINT(0x600, "client_protocol_version"), .ms = 20 },
	{ CHECKPOINT(0x601, "copy_restore_options"), .ms = 20 },
	{ CHECKPOINT(0x655, "is_host_compatible"), .act = ACT_CHECK_HOST, .status = 10,
	  .only = ALSO_MINIMUM },
	{ CHECKPOINT(0x604, "set_weight_from_options"), .ms = 20 },
	{ CHECKPOINT(0x608, "device_has_hoover"), .ms = 20 },
	{ CHECKPOINT(0x60b, "update_ticket"), ASK(ROOT_TICKET), .only = ALSO_MINIMUM, .ms = 100 },
	{ .act = ACT_ATTEST, .ios = 18 },
	{ CHECKPOINT(0x60d, "wait_for_storage"), .operation = 28, .ms = 800 },
	{ CHECKPOINT(0x60e, "update_s3e_firmware"), .operation = 58, .ms = 100 },
	{ CHECKPOINT(0x60f, "clear_remap_variable"), .ms = 20 },
	{ CHECKPOINT(0x610, "asp_nand_set_writable"), .ms = 20 },
	{ CHECKPOINT(0x613, "find_filesystem_partitions"), .ms = 100 },
	{ CHECKPOINT(0x67e, "verify_storage_for_update"), .only = ONLY_UPDATE, .status = 6,
	  .ms = 200 },
	{ CHECKPOINT(0x609, "load_sep_os"), ASK(NOR), .needs = "LLB", .status = 51, .ms = 300 },
	{ CHECKPOINT(0x665, "fsck_filesystems"), .operation = 15, .status = 6, .ms = 500 },
	{ CHECKPOINT(0x614, "mount_system_partition"), .operation = 16, .status = 27, .ms = 300 },
	{ CHECKPOINT(0x654, "read_previous_os_build_version"), .ms = 20 },
	{ CHECKPOINT(0x697, "downgrade_check"), .only = ONLY_UPDATE, .ms = 20 },
	{ CHECKPOINT(0x615, "copy_hardware_info"), .ms = 20 },
	{ CHECKPOINT(0x616, "fdr_create"), ASK(FDR_TRUST), .status = 53, .ms = 100 },
	{ CHECKPOINT(0x617, "fdr_save_data"), .ms = 50 },
	{ CHECKPOINT(0x618, "store_baseband_migration"), .needs = "BasebandFirmware", .ms = 100 },
	{ CHECKPOINT(0x619, "check_for_restore_log"), .act = ACT_OLD_LOG, .ms = 50 },
	{ CHECKPOINT(0x61a, "check_for_ota_logs"), .operation = 44, .ms = 200 },
	{ CHECKPOINT(0x61b, "submit_update_stats"), .act = ACT_PROXY, .ms = 200 },
	{ ASK(URL), .only = ONLY_URL, .ios = 18, .port_ios = 1 },
	{ CHECKPOINT(0x661, "read_persistent_files"), .ms = 20 },
	{ CHECKPOINT(0x61d, "unmount_unconditionally"), .operation = 29, .status = 27, .ms = 200 },
	/* the new system's volumes */
	{ CHECKPOINT(0x64e, "clean_nand"), .status = 6, .ms = 100 },
	{ CHECKPOINT(0x61f, "format_effaceable_storage"), .only = ONLY_ERASE, .status = 6,
	  .ms = 100 },
	{ CHECKPOINT(0x621, "create_filesystem_partitions"), .operation = 11, .status = 6,
	  .act = ACT_FORMAT, .only = ALSO_MINIMUM, .ms = 400 },
	{ CHECKPOINT(0x677, "perform_main_os_prepare"), .ms = 20 },
	{ CHECKPOINT(0x622, "reload_filesystem_partitions"), .ms = 100 },
	{ CHECKPOINT(0x658, "format_media"), .operation = 12, .only = ONLY_ERASE, .status = 6,
	  .ms = 800 },
	{ ASK(PREFLIGHT), .ios = 16 },
	{ CHECKPOINT(0x65b, "restore_images"), ASK(SYSTEM_IMAGE), .operation = 13, .port_ios = 26,
	  .only = ALSO_MINIMUM, .ms = 200 },
	{ .operation = 14, .percent = true, .ms = 3000 },
	{ .operation = 29, .ms = 100 },
	{ .operation = 16, .status = 27, .ms = 200 },
	{ CHECKPOINT(0x674, "create_protected_volume"), .operation = 67, .ms = 200 },
	{ CHECKPOINT(0x65f, "reserve_overprov_space"), .ms = 50 },
	{ CHECKPOINT(0x662, "write_persistent_files"), .ms = 20 },
	/* what belongs to the system and is no part of its image */
	{ CHECKPOINT(0x67b, "perform_restore_installing"), .ms = 20 },
	{ CHECKPOINT(0x6a6, "install_splat"), ASK(IDENTITY), .needs = "Cryptex1,SystemOS",
	  .status = 100, .ms = 200 },
	{ UPDATER("Cryptex1"), .needs = "Cryptex1,SystemOS", .status = 100 },
	{ CRYPTEX("Cryptex1,SystemOS") },
	{ CRYPTEX("Cryptex1,SystemVolume") },
	{ CRYPTEX("Cryptex1,SystemTrustCache") },
	{ CRYPTEX("Cryptex1,AppOS") },
	{ CRYPTEX("Cryptex1,AppVolume") },
	{ CRYPTEX("Cryptex1,AppTrustCache") },
	{ ASK(BOOT_OBJECT), .about = "StaticTrustCache", .needs = "StaticTrustCache", .ios = 18 },
	{ CHECKPOINT(0xe00, "install_kernel"), ASK(KERNEL_CACHE), .operation = 27,
	  .needs = "KernelCache", .ms = 200 },
	{ CHECKPOINT(0xe01, "install_device_tree"), ASK(DEVICE_TREE), .operation = 61,
	  .needs = "DeviceTree", .ms = 100 },
	{ CHECKPOINT(0xe03, "write_ticket"), ASK(METADATA),
	  .needs = "Ap,SystemVolumeCanonicalMetadata", .ms = 50 },
	{ CHECKPOINT(0xe05, "install_root_hash"), ASK(ROOT_HASH), .needs = "SystemVolume",
	  .operation = 77, .ms = 100 },
	{ CHECKPOINT(0x62a, "fixup_var"), .operation = 17, .ms = 300 },
	{ .operation = 41, .only = ONLY_UPDATE, .ms = 600 },
	{ CHECKPOINT(0x62f, "create_system_key_bag"), .operation = 50, .ms = 200 },
	{ CHECKPOINT(0x634, "fdr_recover"), .act = ACT_CLAIM_PARTS, .status = 53, .ms = 200 },
	/* firmware of the other chips */
	{ CHECKPOINT(0x635, "update_device_firmware"), .ms = 20 },
	{ CHECKPOINT(0x1300, "update_iboot"), ASK(NOR), .about = "FlashVersion1", .needs = "LLB",
	  .operation = 18, .percent = true, .ms = 800 },
	{ ASK(EAN), .about = "IsEarlyAccessFirmware", .needs = "IsEarlyAccessFirmware",
	  .operation = 74 },
	{ ASK(PERSONALIZED), .about = "IsiBootEANFirmware", .needs = "IsiBootEANFirmware" },
	{ CHECKPOINT(0x1309, "update_se"), UPDATER("SE"), .needs = "SE,UpdatePayload",
	  .operation = 59, .status = 1017, .ms = 200 },
	{ CHECKPOINT(0x1309, "update_se"), UPDATER("SE"), .needs = "SE,Firmware",
	  .lacks = "SE,UpdatePayload", .operation = 59, .status = 1017, .ms = 200 },
	{ CHECKPOINT(0x130d, "update_savage"), UPDATER("Savage"), .needs = "Savage,B2-Prod-Patch",
	  .lacks = "Yonkers,SysTopPatch0", .operation = 60, .status = 1017, .ms = 200 },
	{ CHECKPOINT(0x130d, "update_savage"), UPDATER("Yonkers"), .needs = "Yonkers,SysTopPatch0",
	  .operation = 64, .status = 1017, .ms = 200 },
	{ CHECKPOINT(0x1311, "update_veridian"), UPDATER("T200"), .needs = "BMU,FirmwareMap",
	  .operation = 66, .status = 1017, .ms = 200 },
	{ CHECKPOINT(0x132d, "await_update_vinyl"), UPDATER("Vinyl"), .needs = "eUICC,Main",
	  .status = 1017, .ms = 100 },
	{ CHECKPOINT(0x67d, "fdr_auto_challenge_claim"), .status = 53, .ms = 100 },
	{ CHECKPOINT(0x63c, "verify_fdr_data"), .status = 53, .ms = 100 },
	{ CHECKPOINT(0x639, "update_baseband"), ASK(BASEBAND), .needs = "BasebandFirmware",
	  .operation = 48, .status = 1015, .port_ios = 18, .ms = 200 },
	{ ASK(BASEBAND), .about = "Nonce", .needs = "BasebandFirmware", .operation = 19,
	  .percent = true, .status = 1015, .port_ios = 18, .ms = 800 },
	{ .act = ACT_BASEBAND, .needs = "BasebandFirmware", .status = 1015 },
	{ CHECKPOINT(0x668, "update_firmware_post_sealing"), UPDATER("Rose"),
	  .needs = "Rap,RTKitOS", .operation = 65, .status = 1017, .ms = 200 },
	{ CHECKPOINT(0x63e, "install_fud"), ASK(FUD), .about = "IsFUDFirmware",
	  .needs = "IsFUDFirmware", .operation = 36, .percent = true, .ms = 400 },
	{ ASK(RECEIPT), .ios = 14 },
	{ ASK(UNKNOWN), .about = "HostSystemTime" },
	{ CHECKPOINT(0x641, "set_date"), .operation = 30, .ms = 20 },
	{ CHECKPOINT(0x642, "clear_nvram"), .operation = 46, .only = ONLY_ERASE, .ms = 50 },
	{ CHECKPOINT(0x644, "set_boot_stage"), .operation = 20, .act = ACT_CRASH, .ms = 50,
	  .only = ALSO_MINIMUM },
	{ .operation = 29, .ms = 200 },
	{ CHECKPOINT(0x648, "cleanup_send_final_status"), .act = ACT_FINISH, .only = ALSO_MINIMUM,
	  .ms = 50 },
};

const struct step *steps_all(unsigned *ret_count)
{
	*ret_count = sizeof(steps) / sizeof(steps[0]);
	return steps;
}

bool manifest_flag(plist_t entry, const char *flag)
{
	plist_t node = plist_access_path(entry, 2, "Info", flag);
	uint8_t on = 0;

	if (node && plist_get_node_type(node) == PLIST_BOOLEAN)
		plist_get_bool_val(node, &on);
	return on;
}

static bool manifest_has_flag(plist_t manifest, const char *flag)
{
	plist_dict_iter at = nullptr;
	bool found = false;
	plist_t entry;

	plist_dict_new_iter(manifest, &at);
	do {
		plist_dict_next_item(manifest, at, nullptr, &entry);
		found = entry && manifest_flag(entry, flag);
	} while (entry && !found);
	plist_mem_free(at);
	return found;
}

static bool identity_has(plist_t identity, const char *what)
{
	plist_t manifest = identity ? plist_dict_get_item(identity, "Manifest") : nullptr;

	if (!manifest)
		return false;
	if (!strncmp(what, "Is", 2))
		return manifest_has_flag(manifest, what);
	return plist_dict_get_item(manifest, what);
}

bool step_applies(const struct step *s, const struct step_choice *choice)
{
	if ((s->only & ONLY_ERASE && choice->kind != INSTALL_ERASE) ||
	    (s->only & ONLY_UPDATE && choice->kind != INSTALL_UPDATE) ||
	    (s->only & ONLY_URL && !choice->url))
		return false;
	if (choice->minimum && !(s->only & ALSO_MINIMUM))
		return false;
	if (choice->ios < s->ios || (s->ios_to && choice->ios > s->ios_to))
		return false;
	return (!s->needs || identity_has(choice->identity, s->needs)) &&
	       (!s->lacks || !identity_has(choice->identity, s->lacks));
}
