import ihe.iti.xds_b._2007.DocumentRegistryPortType;
import ihe.iti.xds_b._2007.DocumentRegistryService;
import ihe.iti.xds_b._2007.DocumentRepositoryPortType;
import ihe.iti.xds_b._2007.DocumentRepositoryService;
import ihe.iti.xds_b._2007.DocumentRequestType;
import ihe.iti.xds_b._2007.ProvideAndRegisterDocumentSetRequestType;
import ihe.iti.xds_b._2007.RetrieveDocumentSetRequestType;
import ihe.iti.xds_b._2007.RetrieveDocumentSetResponseType;
import ihe.rad.xdsi_b._2009.ImagingDocumentSourceService;
import ihe.rad.xdsi_b._2009.RetrieveImagingDocumentSetRequestType;
import java.io.File;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import javax.activation.DataHandler;
import javax.activation.FileDataSource;
import javax.xml.bind.JAXBContext;
import javax.xml.bind.JAXBElement;
import javax.xml.transform.stream.StreamSource;
import javax.xml.ws.soap.SOAPFaultException;
import oasis.names.tc.ebxml_regrep.xsd.lcm._3.SubmitObjectsRequest;
import oasis.names.tc.ebxml_regrep.xsd.query._3.AdhocQueryRequest;
import oasis.names.tc.ebxml_regrep.xsd.query._3.AdhocQueryResponse;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.ExtrinsicObjectType;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.IdentifiableType;
import oasis.names.tc.ebxml_regrep.xsd.rs._3.RegistryError;
import oasis.names.tc.ebxml_regrep.xsd.rs._3.RegistryResponseType;

/**
 * A client made of the WSDLs of registry, repository and Imaging Document Source alone: it submits, finds and retrieves.
 * Arguments: the archive's address and a folder with requests and documents; what comes is put beside them.
 */
public class Submitter {
    static Path folder;

    static <T> T read(Class<T> type, String name) throws Exception {
        JAXBContext context = JAXBContext.newInstance(
            oasis.names.tc.ebxml_regrep.xsd.rim._3.ObjectFactory.class,
            oasis.names.tc.ebxml_regrep.xsd.lcm._3.ObjectFactory.class,
            oasis.names.tc.ebxml_regrep.xsd.query._3.ObjectFactory.class,
            ihe.rad.xdsi_b._2009.ObjectFactory.class);
        StreamSource source = new StreamSource(folder.resolve(name).toFile());
        return context.createUnmarshaller().unmarshal(source, type).getValue();
    }

    static void say(String what, Supplier<RegistryResponseType> call) {
        try {
            say(what, call.get());
        } catch (SOAPFaultException fault) {
            System.out.println(what + " fault " + fault.getFault().getFaultString());
        }
    }

    static void say(String what, RegistryResponseType answer) {
        String status = answer.getStatus();
        String codes = answer.getRegistryErrorList() == null ? "" : answer.getRegistryErrorList().getRegistryError()
            .stream().map(RegistryError::getErrorCode).collect(Collectors.joining(" ", " ", ""));
        System.out.println(what + " " + status.substring(status.lastIndexOf(':') + 1) + codes);
    }

    static ProvideAndRegisterDocumentSetRequestType provided(String request, String... documents) throws Exception {
        ProvideAndRegisterDocumentSetRequestType provide = new ProvideAndRegisterDocumentSetRequestType();
        provide.setSubmitObjectsRequest(read(SubmitObjectsRequest.class, request));
        for (String name : documents) {
            ProvideAndRegisterDocumentSetRequestType.Document document =
                new ProvideAndRegisterDocumentSetRequestType.Document();
            document.setId(name);
            document.setValue(new DataHandler(new FileDataSource(folder.resolve(name).toFile())));
            provide.getDocument().add(document);
        }
        return provide;
    }

    static List<ExtrinsicObjectType> found(AdhocQueryResponse answer) {
        return answer.getRegistryObjectList().getIdentifiable().stream()
            .map(JAXBElement::getValue)
            .filter(ExtrinsicObjectType.class::isInstance)
            .map(ExtrinsicObjectType.class::cast)
            .collect(Collectors.toList());
    }

    static String uniqueId(ExtrinsicObjectType entry) {
        return entry.getExternalIdentifier().stream()
            .filter(one -> one.getIdentificationScheme().equals("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"))
            .findFirst().get().getValue();
    }

    static String slot(ExtrinsicObjectType entry, String name) {
        return entry.getSlot().stream().filter(one -> one.getName().equals(name))
            .findFirst().get().getValueList().getValue().get(0);
    }

    static void keep(RetrieveDocumentSetResponseType answer) throws Exception {
        for (RetrieveDocumentSetResponseType.DocumentResponse got : answer.getDocumentResponse()) {
            try (InputStream stream = got.getDocument().getInputStream()) {
                Files.copy(stream, folder.resolve("got-" + got.getDocumentUniqueId()), StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        folder = new File(args[1]).toPath();
        DocumentRegistryPortType registry =
            new DocumentRegistryService(new URL(args[0] + "/xds/registry?wsdl")).getDocumentRegistryPortSoap12();
        DocumentRepositoryPortType repository =
            new DocumentRepositoryService(new URL(args[0] + "/xds/repository?wsdl")).getDocumentRepositoryPortSoap12();

        ProvideAndRegisterDocumentSetRequestType provide = provided("provide.xml", "small", "large");
        say("ITI-41", () -> repository.documentRepositoryProvideAndRegisterDocumentSetB(provide));
        say("ITI-41 again", () -> repository.documentRepositoryProvideAndRegisterDocumentSetB(provide));
        ProvideAndRegisterDocumentSetRequestType none = provided("provide.xml");
        say("ITI-41 without documents", () -> repository.documentRepositoryProvideAndRegisterDocumentSetB(none));
        SubmitObjectsRequest register = read(SubmitObjectsRequest.class, "register.xml");
        say("ITI-42", () -> registry.documentRegistryRegisterDocumentSetB(register));

        AdhocQueryResponse answer = registry.documentRegistryRegistryStoredQuery(read(AdhocQueryRequest.class, "query.xml"));
        say("ITI-18", answer);
        RetrieveDocumentSetRequestType retrieve = new RetrieveDocumentSetRequestType();
        for (ExtrinsicObjectType entry : found(answer)) {
            System.out.println("found " + uniqueId(entry) + " " + slot(entry, "size"));
            DocumentRequestType request = new DocumentRequestType();
            request.setRepositoryUniqueId(slot(entry, "repositoryUniqueId"));
            request.setDocumentUniqueId(uniqueId(entry));
            retrieve.getDocumentRequest().add(request);
        }
        AdhocQueryResponse refused = registry.documentRegistryRegistryStoredQuery(read(AdhocQueryRequest.class, "unknown.xml"));
        say("ITI-18 unknown", refused);

        RetrieveDocumentSetResponseType documents = repository.documentRepositoryRetrieveDocumentSet(retrieve);
        say("ITI-43", documents.getRegistryResponse());
        keep(documents);

        RetrieveDocumentSetResponseType images =
            new ImagingDocumentSourceService(new URL(args[0] + "/xds/imaging-source?wsdl"))
                .getImagingDocumentSourcePortSoap12()
                .imagingDocumentSourceRetrieveImagingDocumentSet(read(RetrieveImagingDocumentSetRequestType.class, "images.xml"));
        say("RAD-69", images.getRegistryResponse());
        keep(images);
    }
}
