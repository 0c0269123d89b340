/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/interface.h"

#define NULLABLE                  SD_VARLINK_NULLABLE
#define COMMENT(text)             SD_VARLINK_FIELD_COMMENT(text)
#define FIELD(name, type)         SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_##type, 0)
#define MAYBE(name, type)         SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_##type, NULLABLE)
#define MAYBE_STRUCT(name, named) SD_VARLINK_DEFINE_FIELD_BY_TYPE(name, named, NULLABLE)

/* One field a line, as in the text that varlinkctl prints. */
/* clang-format off */

/* phone/phone.c fills it: phone_to_json(). Absent means unknown. */
static SD_VARLINK_DEFINE_STRUCT_TYPE(Phone,
	COMMENT("Strongest name that a PHONE argument understands: 'ecid:0x...', 'udid:...' "
		"or 'port:1-2'"),
	FIELD(key, STRING),
	COMMENT("settling, present, awaited or gone"),
	FIELD(presence, STRING),
	COMMENT("unknown, normal, recovery, dfu, wtf, restore, port-dfu or debug-usb"),
	FIELD(mode, STRING),
	COMMENT("The mode in words for people"),
	MAYBE(mode_label, STRING),
	COMMENT("unknown, locked, asking, denied, stale, trusted or refused-by-policy"),
	FIELD(trust, STRING),
	COMMENT("'0x' and 16 lower-case hex digits"),
	MAYBE(ecid, STRING),
	COMMENT("As people and usbmuxd write it: 40 hex digits, or 8-16 with a hyphen"),
	MAYBE(udid, STRING),
	COMMENT("The name its owner gave it"),
	MAYBE(name, STRING),
	COMMENT("Best name for people: the owner's, else the model's, else the product"),
	MAYBE(label, STRING),
	COMMENT("ProductType, 'iPhone14,5'"),
	MAYBE(product, STRING),
	COMMENT("HardwareModel, 'd17ap'"),
	MAYBE(board, STRING),
	COMMENT("Name of the model, 'iPhone 13'"),
	MAYBE(model, STRING),
	COMMENT("iphone, ipad, ipod or other"),
	MAYBE(family, STRING),
	COMMENT("Which buttons force a restart, recovery or DFU: id of a row of the facts"),
	MAYBE(buttons, STRING),
	COMMENT("Year in which the model was first sold"),
	MAYBE(year, INT),
	COMMENT("What iBoot or SecureROM said when the phone was last in recovery or DFU: "
		"chip and board id, chip revision, fuses, security epoch, iBoot flags; '0x8110'"),
	MAYBE(cpid, STRING),
	MAYBE(bdid, STRING),
	MAYBE(cprv, STRING),
	MAYBE(cpfm, STRING),
	MAYBE(scep, STRING),
	MAYBE(ibfl, STRING),
	COMMENT("Ids of the bits that are set in ibfl"),
	SD_VARLINK_DEFINE_FIELD(iboot_flags, SD_VARLINK_STRING, SD_VARLINK_ARRAY | NULLABLE),
	COMMENT("SecureROM tag, Apple serial number, IMEI, name of an active exploit"),
	MAYBE(srtg, STRING),
	MAYBE(srnm, STRING),
	MAYBE(imei, STRING),
	MAYBE(pwnd, STRING),
	COMMENT("Lower-case hex; belong to the present boot only"),
	MAYBE(ap_nonce, STRING),
	MAYBE(sep_nonce, STRING),
	COMMENT("ProductVersion, '17.5.1'"),
	MAYBE(version, STRING),
	COMMENT("BuildVersion, '21F90'"),
	MAYBE(build, STRING),
	COMMENT("Apple's serial number"),
	MAYBE(serial_number, STRING),
	COMMENT("Kernel's name of the USB port: bus-port.port..., '1-2.3'"),
	MAYBE(port, STRING),
	COMMENT("USB bus and address of the present enumeration"),
	MAYBE(bus, INT),
	MAYBE(address, INT),
	COMMENT("Vendor and product, '05ac:1281'"),
	MAYBE(usb_id, STRING),
	COMMENT("1 (low speed), 12, 480, 5000 ... megabits per second"),
	MAYBE(speed_mbps, INT),
	COMMENT("Hubs between the phone and the computer's own port"),
	MAYBE(hub_depth, INT),
	COMMENT("Active USB configuration, 0 none"),
	MAYBE(configuration, INT),
	COMMENT("usbmuxd lists it"),
	MAYBE(in_mux, BOOL),
	COMMENT("When presence or mode last changed, ms since the epoch"),
	MAYBE(since_ms, INT),
	COMMENT("How often it was plugged in or re-enumerated"),
	MAYBE(enumerations, INT));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Snapshot,
	COMMENT("Number of the last event that is already contained"),
	FIELD(seq, INT),
	COMMENT("ms since the epoch"),
	FIELD(time_ms, INT),
	COMMENT("Version of the service's program"),
	FIELD(version, STRING),
	COMMENT("A test hook or a tape is in use: what is shown may not be real"),
	FIELD(test, BOOL),
	COMMENT("usbmuxd answers"),
	FIELD(mux_up, BOOL),
	COMMENT("In the order of their ports, without gone ones"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(phones, Phone, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Event,
	COMMENT("Rises by one with each event; a snapshot repeats the last number"),
	FIELD(seq, INT),
	COMMENT("ms since the epoch"),
	FIELD(time_ms, INT),
	COMMENT("snapshot, added, changed, removed, mux-up or mux-down; skip kinds you do not "
		"know"),
	FIELD(kind, STRING),
	COMMENT("With added, changed and removed"),
	MAYBE_STRUCT(phone, Phone),
	COMMENT("With snapshot"),
	MAYBE_STRUCT(snapshot, Snapshot));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Problem,
	COMMENT("What can be done about it: refused, locked, silent, busy, unplugged ..."),
	FIELD(kind, STRING),
	COMMENT("Who said so: usbmuxd, lockdownd, libirecovery, service ..."),
	FIELD(origin, STRING),
	COMMENT("The origin's own number, 0 if it has none"),
	FIELD(code, INT),
	COMMENT("One line for people"),
	FIELD(text, STRING));

static SD_VARLINK_DEFINE_METHOD(List,
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(snapshot, Snapshot, 0));

static SD_VARLINK_DEFINE_METHOD(Show,
	COMMENT("'ecid:0x...', 'udid:...', 'port:1-2.3', 'name:...', or text that fits one phone"),
	SD_VARLINK_DEFINE_INPUT(phone, SD_VARLINK_STRING, 0),
	COMMENT("Ask the phone itself first, which takes seconds"),
	SD_VARLINK_DEFINE_INPUT(ask, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(phone, Phone, 0),
	COMMENT("Why the last question to the phone was not answered"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(problem, Problem, SD_VARLINK_NULLABLE));

static SD_VARLINK_DEFINE_METHOD_FULL(Watch, SD_VARLINK_REQUIRES_MORE,
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(event, Event, 0));

static SD_VARLINK_DEFINE_ERROR(NoSuchPhone,
	FIELD(wanted, STRING));

static SD_VARLINK_DEFINE_ERROR(AmbiguousPhone,
	FIELD(wanted, STRING),
	COMMENT("Keys of the phones that fit"),
	SD_VARLINK_DEFINE_FIELD(matches, SD_VARLINK_STRING, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_ERROR(NotAnswered,
	FIELD(wanted, STRING),
	COMMENT("As in the type Problem"),
	FIELD(kind, STRING),
	FIELD(origin, STRING),
	FIELD(code, INT),
	FIELD(text, STRING));

SD_VARLINK_DEFINE_INTERFACE(org_idevicerescue, INTERFACE_NAME,
	SD_VARLINK_INTERFACE_COMMENT("iPhones and iPads that are plugged into this computer"),
	SD_VARLINK_SYMBOL_COMMENT("One handset, whatever it re-enumerates as"),
	&vl_type_Phone,
	SD_VARLINK_SYMBOL_COMMENT("All that is known at one moment"),
	&vl_type_Snapshot,
	SD_VARLINK_SYMBOL_COMMENT("One change"),
	&vl_type_Event,
	SD_VARLINK_SYMBOL_COMMENT("Why a phone did not answer"),
	&vl_type_Problem,
	SD_VARLINK_SYMBOL_COMMENT("All phones that are here"),
	&vl_method_List,
	SD_VARLINK_SYMBOL_COMMENT("One phone in detail"),
	&vl_method_Show,
	SD_VARLINK_SYMBOL_COMMENT("A snapshot, then every change. A watcher that does not "
		"read is dropped; it comes back and gets a new snapshot"),
	&vl_method_Watch,
	SD_VARLINK_SYMBOL_COMMENT("Nothing here fits what was named"),
	&vl_error_NoSuchPhone,
	SD_VARLINK_SYMBOL_COMMENT("More than one phone fits what was named"),
	&vl_error_AmbiguousPhone,
	SD_VARLINK_SYMBOL_COMMENT("The phone was asked and did not answer"),
	&vl_error_NotAnswered);
/* clang-format on */
