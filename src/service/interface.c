/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/interface_types.h"

/* One field a line, as in the text that varlinkctl prints. */
/* clang-format off */

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

static SD_VARLINK_DEFINE_METHOD(Diagnose,
	COMMENT("Absent: all phones, and the computer itself when none is here or a port of it has "
		"trouble"),
	MAYBE_INPUT(phone, STRING),
	COMMENT("What the person says that the phone's screen shows: forgotten-passcode, disabled "
		"or screen-time"),
	MAYBE_INPUT(says, STRING),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(diagnoses, Diagnosis, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(CheckTrust,
	INPUT(phone, STRING),
	OUTPUT(phone, Phone),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(findings, Finding, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(Plan,
	COMMENT("Which phone; or, for the goal firmware, which ProductType"),
	MAYBE_INPUT(phone, STRING),
	MAYBE_INPUT(product, STRING),
	COMMENT("As in PlanCard"),
	INPUT(goal, STRING),
	COMMENT("Another build than the newest"),
	MAYBE_INPUT(build, STRING),
	COMMENT("Absolute path of an IPSW"),
	MAYBE_INPUT(file, STRING),
	OUTPUT(plan, PlanCard));

static SD_VARLINK_DEFINE_METHOD(Start,
	COMMENT("As of Plan, which is made anew"),
	MAYBE_INPUT(phone, STRING),
	MAYBE_INPUT(product, STRING),
	INPUT(goal, STRING),
	MAYBE_INPUT(build, STRING),
	MAYBE_INPUT(file, STRING),
	COMMENT("For an erase: the token of its plan, and what the person typed"),
	MAYBE_INPUT(consent, STRING),
	MAYBE_INPUT(confirm, STRING),
	OUTPUT(job, JobRecord));

static SD_VARLINK_DEFINE_METHOD(Jobs,
	COMMENT("Newest first"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(jobs, JobRecord, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(Job,
	INPUT(id, STRING),
	OUTPUT(job, JobRecord));

static SD_VARLINK_DEFINE_METHOD(Cancel,
	INPUT(id, STRING),
	OUTPUT(job, JobRecord));

static SD_VARLINK_DEFINE_METHOD(Pause,
	INPUT(id, STRING),
	OUTPUT(job, JobRecord));

static SD_VARLINK_DEFINE_METHOD(Resume,
	INPUT(id, STRING),
	OUTPUT(job, JobRecord));

static SD_VARLINK_DEFINE_METHOD(Answer,
	INPUT(id, STRING),
	INPUT(yes, BOOL),
	COMMENT("With yes to an erase: the token of the question's plan, and what was typed"),
	MAYBE_INPUT(consent, STRING),
	MAYBE_INPUT(confirm, STRING),
	OUTPUT(job, JobRecord));

static SD_VARLINK_DEFINE_METHOD(Report,
	INPUT(id, STRING),
	SD_VARLINK_DEFINE_OUTPUT(report, SD_VARLINK_OBJECT, 0),
	SD_VARLINK_DEFINE_OUTPUT(text, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(KeepRecords,
	COMMENT("Absent: only tell what is"),
	MAYBE_INPUT(keep, BOOL),
	COMMENT("A copy of this computer's pairing records is kept on the data partition; without "
		"it they are gone at power-off"),
	SD_VARLINK_DEFINE_OUTPUT(kept, SD_VARLINK_BOOL, 0),
	COMMENT("Records in the copy if it is kept, else of this computer"),
	SD_VARLINK_DEFINE_OUTPUT(records, SD_VARLINK_INT, 0),
	COMMENT("There is a data partition for a copy"),
	SD_VARLINK_DEFINE_OUTPUT(lasting, SD_VARLINK_BOOL, 0));

static SD_VARLINK_DEFINE_METHOD(ListFirmware,
	OUTPUT(cache, FirmwareCache));

static SD_VARLINK_DEFINE_METHOD(DropFirmware,
	COMMENT("Name of the file, Apple's name of it, or the first eight digits of a hash or "
		"more"),
	INPUT(file, STRING),
	OUTPUT(dropped, CachedFile));

static SD_VARLINK_DEFINE_METHOD(UseCache,
	COMMENT("Absolute path of a folder, the URL of a mirror, or off; or a disk: its name, "
		"/dev/NAME, uuid or label"),
	INPUT(use, STRING),
	COMMENT("A disk of this computer's own may be used"),
	MAYBE_INPUT(internal, BOOL),
	OUTPUT(cache, FirmwareCache),
	COMMENT("The disk that was mounted for it"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(disk, Disk, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(ListDisks,
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(disks, Disk, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(LookAtComputer,
	OUTPUT(computer, Computer));

static SD_VARLINK_DEFINE_METHOD(MoveRecords,
	COMMENT("Id of the volume, and the token that was shown with it"),
	INPUT(volume, STRING),
	INPUT(consent, STRING),
	COMMENT("UDIDs or files of those to move; absent: all that were shown"),
	SD_VARLINK_DEFINE_INPUT(records, SD_VARLINK_STRING, SD_VARLINK_ARRAY | NULLABLE),
	OUTPUT(moved, MovedRecords));

static SD_VARLINK_DEFINE_ERROR(NoSuchJob,
	FIELD(id, STRING));

static SD_VARLINK_DEFINE_ERROR(Refused,
	COMMENT("As in the type Problem"),
	FIELD(kind, STRING),
	FIELD(origin, STRING),
	FIELD(code, INT),
	FIELD(text, STRING),
	MAYBE(next, STRING));

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
	SD_VARLINK_SYMBOL_COMMENT("One part of the way to a phone"),
	&vl_type_Light,
	SD_VARLINK_SYMBOL_COMMENT("One handset, whatever it re-enumerates as"),
	&vl_type_Phone,
	SD_VARLINK_SYMBOL_COMMENT("All that is known at one moment"),
	&vl_type_Snapshot,
	SD_VARLINK_SYMBOL_COMMENT("One change"),
	&vl_type_Event,
	SD_VARLINK_SYMBOL_COMMENT("Why something was not done"),
	&vl_type_Problem,
	SD_VARLINK_SYMBOL_COMMENT("One step that a person can take"),
	&vl_type_Hint,
	SD_VARLINK_SYMBOL_COMMENT("Something wrong with a phone, or worth knowing"),
	&vl_type_Finding,
	SD_VARLINK_SYMBOL_COMMENT("All findings of one phone"),
	&vl_type_Diagnosis,
	SD_VARLINK_SYMBOL_COMMENT("A firmware file"),
	&vl_type_Firmware,
	SD_VARLINK_SYMBOL_COMMENT("What Apple's signing server said of a firmware, for this phone"),
	&vl_type_Signed,
	SD_VARLINK_SYMBOL_COMMENT("Where files go"),
	&vl_type_Room,
	SD_VARLINK_SYMBOL_COMMENT("A firmware file that is deleted to make room: starting the plan "
		"is the consent"),
	&vl_type_Drop,
	SD_VARLINK_SYMBOL_COMMENT("A firmware file that is kept"),
	&vl_type_CachedFile,
	SD_VARLINK_SYMBOL_COMMENT("Where firmware files are kept"),
	&vl_type_FirmwareCache,
	SD_VARLINK_SYMBOL_COMMENT("A volume that firmware could be kept on"),
	&vl_type_Disk,
	SD_VARLINK_SYMBOL_COMMENT("What should be read before a plan is carried out"),
	&vl_type_Warning,
	SD_VARLINK_SYMBOL_COMMENT("One step of a plan"),
	&vl_type_PlanStep,
	SD_VARLINK_SYMBOL_COMMENT("What would be done, and what it would cost"),
	&vl_type_PlanCard,
	SD_VARLINK_SYMBOL_COMMENT("One step of a job"),
	&vl_type_JobStep,
	SD_VARLINK_SYMBOL_COMMENT("How far the present step is"),
	&vl_type_Progress,
	SD_VARLINK_SYMBOL_COMMENT("What a job asks the person"),
	&vl_type_Question,
	SD_VARLINK_SYMBOL_COMMENT("What was proven of a firmware file before it was installed"),
	&vl_type_FileProof,
	SD_VARLINK_SYMBOL_COMMENT("What the phone itself said when all was done"),
	&vl_type_Proof,
	SD_VARLINK_SYMBOL_COMMENT("What was not proven, and why"),
	&vl_type_Unproven,
	SD_VARLINK_SYMBOL_COMMENT("What is left to try"),
	&vl_type_Advice,
	SD_VARLINK_SYMBOL_COMMENT("What a step that runs takes as an answer"),
	&vl_type_Answers,
	SD_VARLINK_SYMBOL_COMMENT("One plan that is being carried out, or was"),
	&vl_type_JobRecord,
	SD_VARLINK_SYMBOL_COMMENT("A pairing record that a system of this computer keeps"),
	&vl_type_ComputerRecord,
	SD_VARLINK_SYMBOL_COMMENT("A volume of this computer's own disks"),
	&vl_type_ComputerVolume,
	SD_VARLINK_SYMBOL_COMMENT("What can be done in the computer's own system"),
	&vl_type_ComputerAdvice,
	SD_VARLINK_SYMBOL_COMMENT("What the computer's clock is worth"),
	&vl_type_ComputerClock,
	SD_VARLINK_SYMBOL_COMMENT("The computer that shows the error"),
	&vl_type_Computer,
	SD_VARLINK_SYMBOL_COMMENT("What was moved aside"),
	&vl_type_MovedRecords,
	SD_VARLINK_SYMBOL_COMMENT("All phones that are here"),
	&vl_method_List,
	SD_VARLINK_SYMBOL_COMMENT("One phone in detail"),
	&vl_method_Show,
	SD_VARLINK_SYMBOL_COMMENT("A snapshot, then every change. A watcher that does not "
		"read is dropped; it comes back and gets a new snapshot"),
	&vl_method_Watch,
	SD_VARLINK_SYMBOL_COMMENT("What is wrong, from what is known already"),
	&vl_method_Diagnose,
	SD_VARLINK_SYMBOL_COMMENT("Asks a phone whether it trusts this computer; never pairs"),
	&vl_method_CheckTrust,
	SD_VARLINK_SYMBOL_COMMENT("What would be done for a goal; may take a minute"),
	&vl_method_Plan,
	SD_VARLINK_SYMBOL_COMMENT("Does it. Answers when the job is in its journal"),
	&vl_method_Start,
	SD_VARLINK_SYMBOL_COMMENT("All jobs"),
	&vl_method_Jobs,
	SD_VARLINK_SYMBOL_COMMENT("One job"),
	&vl_method_Job,
	SD_VARLINK_SYMBOL_COMMENT("Stops a job, if the phone is not being changed"),
	&vl_method_Cancel,
	SD_VARLINK_SYMBOL_COMMENT("Halts the download of a job; what has come stays"),
	&vl_method_Pause,
	SD_VARLINK_SYMBOL_COMMENT("Lets a paused job go on"),
	&vl_method_Resume,
	SD_VARLINK_SYMBOL_COMMENT("Answers the question of a job"),
	&vl_method_Answer,
	SD_VARLINK_SYMBOL_COMMENT("All that is known of a job, for support"),
	&vl_method_Report,
	SD_VARLINK_SYMBOL_COMMENT("Tells whether pairing records outlive the power-off, or changes "
		"it. Whoever has the copy reaches the phones' data as this computer does"),
	&vl_method_KeepRecords,
	SD_VARLINK_SYMBOL_COMMENT("The firmware files that are kept"),
	&vl_method_ListFirmware,
	SD_VARLINK_SYMBOL_COMMENT("Deletes one that nobody uses"),
	&vl_method_DropFirmware,
	SD_VARLINK_SYMBOL_COMMENT("Chooses where they are kept, and a mirror they come from; stays "
		"chosen"),
	&vl_method_UseCache,
	SD_VARLINK_SYMBOL_COMMENT("The disks that could hold firmware, and why not"),
	&vl_method_ListDisks,
	SD_VARLINK_SYMBOL_COMMENT("Looks at this computer's own disks, read-only; may take two "
		"minutes"),
	&vl_method_LookAtComputer,
	SD_VARLINK_SYMBOL_COMMENT("Moves pairing records of an own system aside; deletes nothing"),
	&vl_method_MoveRecords,
	SD_VARLINK_SYMBOL_COMMENT("There is no job with this id"),
	&vl_error_NoSuchJob,
	SD_VARLINK_SYMBOL_COMMENT("It is not done, and why"),
	&vl_error_Refused,
	SD_VARLINK_SYMBOL_COMMENT("Nothing here fits what was named"),
	&vl_error_NoSuchPhone,
	SD_VARLINK_SYMBOL_COMMENT("More than one phone fits what was named"),
	&vl_error_AmbiguousPhone,
	SD_VARLINK_SYMBOL_COMMENT("The phone was asked and did not answer"),
	&vl_error_NotAnswered);
/* clang-format on */
